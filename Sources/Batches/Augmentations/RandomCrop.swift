public import Kernels

/// A random square of the picture after zeros are added around it: CIFAR's pad-4 crop, or a plain crop with no padding.
public struct RandomCrop: Augmentation {
    /// Side of the result in pixels.
    public let size: Int
    /// Zero pixels added on each side.
    public let padding: Int

    public init(size: Int, padding: Int = 0) {
        precondition(size > 0 && padding >= 0, "size is positive, padding not negative")
        self.size = size
        self.padding = padding
    }

    public var purpose: Purpose? { .crop }

    public func apply(_ image: inout Image, _ random: inout RandomStream) {
        let (height, width) = (image.height + 2 * padding, image.width + 2 * padding)
        precondition(height >= size && width >= size, "a crop of \(size) from a picture of \(height) × \(width)")
        let top = random.below(height - size + 1), left = random.below(width - size + 1)
        image.window(top: top - padding, left: left - padding, height: size, width: size)
    }
}
