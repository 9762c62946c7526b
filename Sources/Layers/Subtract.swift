public import Autodiff
public import Kernels

/// z = x − y, equal shapes. Keeps nothing; the gradient of x is that of z, the gradient of y its negative.
public struct Subtract: Operation {
    public init() {}

    public func callAsFunction(_ x: Tensor, _ y: Tensor) -> Tensor { x.apply(self, y) }

    public var keeps: Kept { .nothing }
    public var passesGradientTo: Int? { 0 }

    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        guard shapes[0] == shapes[1] else { throw ShapeError("\(shapes[1]) is taken from \(shapes[0])") }
        return shapes[0]
    }

    public func forward(_ at: Workspace) { at.pool.subtract(at.inputs[0], at.inputs[1], into: at.output) }

    public func backward(_ at: Workspace) {
        guard let dy = at.inputGradients[1] else { return }
        at.pool.copy(at.outputGradient, into: dy, adding: at.adds[1], scale: -1)
    }
}
