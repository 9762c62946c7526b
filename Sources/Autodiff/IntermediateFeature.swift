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
