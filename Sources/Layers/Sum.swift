public import Autodiff
public import Kernels

/// Σ x in Double, as a tensor (1): of a mask, the number of masked patches. No gradient.
public struct Sum: Operation {
    public init() {}

    public func callAsFunction(_ x: Tensor) -> Tensor { x.apply(self) }

    public var keeps: Kept { .nothing }
    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape { [1] }
    public func forward(_ at: Workspace) { at.output[0] = Float(at.pool.sum(at.inputs[0])) }
    public func backward(_ at: Workspace) { preconditionFailure("a count has no gradient") }
}
