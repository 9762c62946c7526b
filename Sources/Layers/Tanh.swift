public import Autodiff
public import Kernels

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
