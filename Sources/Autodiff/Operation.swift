public import Kernels

/// One step of a graph with its gradient. Forward and backward stand side by side in the file of the operation.
public protocol Operation: Sendable {
    /// Parameters read by forward; their gradients are written by backward.
    var parameters: [Parameter] { get }
    /// Numbers that forward moves without a gradient, such as running statistics.
    var buffers: [RegisteredBuffer] { get }
    /// Tables of indices, bound at each step.
    var indices: [IndexInput] { get }
    /// The values that backward reads besides `saved`, the parameters and the output gradient.
    var keeps: Kept { get }
    /// True when the output may be dropped after its last forward use and computed again before backward reads it.
    var isCheap: Bool { get }
    /// True when no gradient goes back from the output, such as from a VQ lookup. Backward is not called.
    var stopsGradient: Bool { get }
    /// The kind of feature that a network shows by the output of this operation; nil: none.
    var featureKind: IntermediateFeature.Kind? { get }
    /// The input whose gradient is the output gradient itself, as on a residual stream. Backward leaves it alone.
    var passesGradientTo: Int? { get }
    func outputShape(of inputs: [Shape]) throws(ShapeError) -> Shape
    func extra(for inputs: [Shape]) -> Extra
    /// Multiply-adds times two of the forward pass.
    func flops(for inputs: [Shape]) -> Int
    func forward(_ at: Workspace)
    func backward(_ at: Workspace)
}

extension Operation {
    public var parameters: [Parameter] { [] }
    public var buffers: [RegisteredBuffer] { [] }
    public var indices: [IndexInput] { [] }
    public var isCheap: Bool { false }
    public var stopsGradient: Bool { false }
    public var featureKind: IntermediateFeature.Kind? { nil }
    public var passesGradientTo: Int? { nil }
    public func extra(for inputs: [Shape]) -> Extra { Extra() }
    public func flops(for inputs: [Shape]) -> Int { 0 }
}

/// The values that an operation's backward reads: some or all inputs, the output, or nothing.
public struct Kept: Sendable, Equatable {
    private var inputBits: UInt64
    var output: Bool

    private init(inputBits: UInt64, output: Bool) {
        self.inputBits = inputBits
        self.output = output
    }

    public static let nothing = Kept(inputBits: 0, output: false)
    public static let inputs = Kept(inputBits: .max, output: false)
    public static let output = Kept(inputBits: 0, output: true)
    public static func input(_ index: Int) -> Kept { Kept(inputBits: 1 << UInt64(index), output: false) }

    public func union(_ other: Kept) -> Kept {
        Kept(inputBits: inputBits | other.inputBits, output: output || other.output)
    }

    func input(_ index: Int) -> Bool { inputBits >> UInt64(index) & 1 == 1 }
}

/// Memory that an operation asks for, in floats.
public struct Extra: Sendable {
    /// Written by forward, read by backward.
    public var saved: Int
    /// Usable during forward only.
    public var scratch: Int
    /// Usable during backward only.
    public var backwardScratch: Int

    public init(saved: Int = 0, scratch: Int = 0, backwardScratch: Int = 0) {
        self.saved = saved
        self.scratch = scratch
        self.backwardScratch = backwardScratch
    }
}

/// Shapes that do not fit. The graph adds the scope path in front of the message.
public struct ShapeError: Error, Equatable {
    public let message: String
    public init(_ message: String) { self.message = message }
}

/// The numbers that an operation reads and writes in one call. Built with the plan: a step allocates nothing.
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
    /// Gradients of `inputs`; nil where none is wanted.
    public let inputGradients: [Floats?]
    public let outputGradient: Floats
    /// Gradients of `Operation.parameters`; nil where the parameter is frozen.
    public let gradients: [Floats?]
    /// Whether an input gradient is added to what is there instead of stored.
    public let adds: [Bool]
    /// Whether a parameter gradient is added to what is there instead of stored.
    public let addsToParameters: [Bool]
    public let pool: WorkerPool
    /// Whether norms take the statistics of the batch and move the running ones; else they take those.
    public let usesBatchStatistics: Bool
    /// Whether values are dropped at random.
    public let dropsOut: Bool
    /// Adds the floats over all ranks; given by the trainer, so that layers do not depend on Cluster.
    public let sumOverRanks: @Sendable (Floats) -> Void
}
