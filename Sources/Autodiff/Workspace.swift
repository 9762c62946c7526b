public import Kernels

/// Where an operation finds its numbers during one call. Made when the plan is built: a step allocates nothing.
public struct Workspace {
    public let shapes: [Shape]
    public let inputs: [Floats]
    public let output: Floats
    public let saved: Floats
    public let scratch: Floats
    /// Values of `Operation.parameters`, in that order.
    public let values: [Floats]
    /// Values of `Operation.buffers`, in that order.
    public let buffers: [Floats]
    public let indices: [Indices]
    /// Nil where no gradient is wanted.
    public let inputGradients: [Floats?]
    public let outputGradient: Floats
    /// Gradients of `Operation.parameters`; nil where the parameter is frozen.
    public let gradients: [Floats?]
    /// Per input gradient: add to what is there instead of storing.
    public let adds: [Bool]
    /// Per parameter gradient: add to what is there instead of storing.
    public let addsToParameters: [Bool]
    public let pool: WorkerPool
    /// Norms take the statistics of the batch and move the running ones; else they take those.
    public let usesBatchStatistics: Bool
    /// Values are dropped at random.
    public let dropsOut: Bool
    /// Adds the floats over all ranks; given by the trainer, so that layers do not depend on Cluster.
    public let sumOverRanks: @Sendable (Floats) -> Void
}
