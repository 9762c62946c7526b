public import Autodiff
public import Kernels

/// A number that the step does not change, as a tensor (1).
public struct Constant: Operation {
    private let value: Float

    public init(_ value: Double) { self.value = Float(value) }

    public func callAsFunction(in graph: Graph) -> Tensor { graph.apply(self) }

    public var keeps: Kept { .nothing }
    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape { [1] }
    public func forward(_ at: Workspace) { at.output.fill(value) }
    public func backward(_ at: Workspace) {}
}
