public import Kernels

/// A value of a recorded graph: its shape is known, its numbers exist only inside a plan.
public struct Tensor {
    public let shape: Shape
    public let graph: Graph
    let id: Int

    /// Records `op` on this tensor and `others` and returns its output.
    public func apply(_ op: some Operation, _ others: Tensor...) -> Tensor {
        graph.record(op, on: [self] + others)
    }
}

/// Int32 numbers that a step brings along: token ids, tables of active rows.
public struct IndexInput: Sendable {
    public let name: String
    public let count: Int
    let id: Int
}

/// The keep factors of one stochastic-depth site: 0 or 1/(1 - drop rate) per sample, written by the trainer at each
/// step.
public struct DropPathInput {
    public let factors: Tensor
    /// Probability of dropping a sample's branch, 0..<1.
    public let dropRate: Double
}

/// One dropout layer of a network.
public struct DropoutSite: Sendable {
    public let keys: IndexInput
    /// Number that tells the site from others.
    public let number: UInt32
}

extension Graph {
    /// Records `op` on `inputs`, of which there may be none: a table or a constant makes its output alone.
    public func apply(_ op: some Operation, to inputs: [Tensor] = []) -> Tensor { record(op, on: inputs) }
}

/// A value on the way through a network at which it can be compared with another one.
public struct IntermediateFeature {
    public enum Kind: Sendable {
        /// The raw output of a linear map or a convolution, under its own name, such as `layer2.0.conv1`.
        case layer
        case norm
        /// The output of a block, after its residual sum where it has one.
        case block
        case stage
        /// One vector for each image.
        case pooled
    }

    public let name: String
    public let kind: Kind
    public let value: Tensor
}

extension Tensor {
    /// Shows this value to whoever watches the recording.
    @discardableResult
    public func feature(_ kind: IntermediateFeature.Kind, _ name: String) -> Tensor {
        graph.show(IntermediateFeature(name: name, kind: kind, value: self))
        return self
    }
}
