/// The shape of an encoder's output for a decoder or a loss: a square grid of feature vectors over the image.
public struct FeatureGrid: Sendable, Equatable {
    /// Features along a side.
    public let side: Int
    /// Image pixels along a side of one feature.
    public let stride: Int
    /// Channels of a feature.
    public let width: Int

    public init(side: Int, stride: Int, width: Int) {
        self.side = side
        self.stride = stride
        self.width = width
    }
}
