public import Autodiff
public import Kernels

/// The same numbers under another shape. Keeps nothing; the gradient of x is that of y.
public struct Reshape: Operation {
    private let shape: Shape

    public init(_ shape: Shape) { self.shape = shape }

    public func callAsFunction(_ x: Tensor) -> Tensor { x.apply(self) }

    public var keeps: Kept { .nothing }
    public var passesGradientTo: Int? { 0 }

    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        guard shapes[0].count == shape.count else { throw ShapeError("\(shapes[0]) is read as \(shape)") }
        return shape
    }

    public func forward(_ at: Workspace) { at.pool.copy(at.inputs[0], into: at.output) }
    public func backward(_ at: Workspace) {}
}
