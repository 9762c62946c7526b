public import Kernels

/// What a plan will do, for people: a row per operation and the totals.
public struct PlanReport: Sendable {
    public struct Row: Sendable {
        /// Scope path, such as `blocks.3.attn.qkv`.
        public let name: String
        public let kind: String
        public let shape: Shape
        /// Multiply-adds times two of the forward pass.
        public let flops: Int
        public let parameters: Int
    }

    public let rows: [Row]
    /// Parameters of the model, without padding.
    public let parameterCount: Int
    /// Forward and backward of one step; backward counts two products per forward product, one where the input needs
    /// no gradient.
    public let flops: Int
    /// Memory for values, gradients of values and scratch.
    public let arenaBytes: Int
    /// What the same blocks would take if none shared memory.
    public let unsharedBytes: Int
    public let parameterBytes: Int
    public let gradientBytes: Int
    /// Sizes of the ranges that go over the network, in the order in which they become ready.
    public let bucketBytes: [Int]
    /// Forward calls that backward runs again.
    public let recomputedOperations: Int
}

/// Time that one operation took since measuring began.
public struct OperationTiming: Sendable {
    public let name: String
    public let kind: String
    /// Multiply-adds times two of one forward pass.
    public let flops: Int
    public var forwardSeconds = 0.0
    public var backwardSeconds = 0.0
}
