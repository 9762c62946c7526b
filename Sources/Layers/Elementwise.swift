public import Autodiff
public import Kernels

/// z = x + y, equal shapes. Keeps nothing; the gradient of both is that of z.
public struct Add: Operation {
    public init() {}

    public func callAsFunction(_ x: Tensor, _ y: Tensor) -> Tensor { x.apply(self, y) }

    public var keeps: Kept { .nothing }
    public var passesGradientTo: Int? { 0 }

    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        guard shapes[0] == shapes[1] else { throw ShapeError("\(shapes[1]) is added to \(shapes[0])") }
        return shapes[0]
    }

    public func forward(_ at: Workspace) { at.pool.add(at.inputs[0], at.inputs[1], into: at.output) }

    public func backward(_ at: Workspace) {
        guard let dy = at.inputGradients[1] else { return }
        at.pool.copy(at.outputGradient, into: dy, adding: at.adds[1])
    }
}

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

/// y = max(x, 0); the gradient at 0 is 0. Keeps its output.
public struct ReLU: Operation {
    public init() {}

    public func callAsFunction(_ x: Tensor) -> Tensor { x.apply(self) }

    public var keeps: Kept { .output }
    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape { shapes[0] }

    public func forward(_ at: Workspace) { at.pool.relu(at.inputs[0], into: at.output) }

    public func backward(_ at: Workspace) {
        guard let dx = at.inputGradients[0] else { return }
        at.pool.reluBackward(at.output, at.outputGradient, into: dx, adding: at.adds[0])
    }
}

/// y = tanh x. Keeps its output.
public struct Tanh: Operation {
    public init() {}

    public func callAsFunction(_ x: Tensor) -> Tensor { x.apply(self) }

    public var keeps: Kept { .output }
    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape { shapes[0] }
    public func forward(_ at: Workspace) { at.pool.tanh(at.inputs[0], into: at.output) }

    public func backward(_ at: Workspace) {
        guard let dx = at.inputGradients[0] else { return }
        at.pool.tanhBackward(at.output, at.outputGradient, into: dx, adding: at.adds[0])
    }
}
