public import Kernels

/// Mirrors the columns of some images.
public struct HorizontalFlip: Augmentation {
    /// Share of images that are mirrored, 0...1.
    public let probability: Double

    public init(probability: Double = 0.5) { self.probability = probability }

    public var purpose: Purpose? { .flip }

    public func apply(_ image: inout Image, _ random: inout RandomStream) {
        if random.uniform() < probability { image.mirror() }
    }
}
