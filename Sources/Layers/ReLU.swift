public import Autodiff
public import Kernels

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
