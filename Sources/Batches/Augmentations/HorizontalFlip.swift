public import Kernels
public import Recipes

/// Mirrors the columns of some images.
public struct HorizontalFlip: Augmentation, ImageAugmentation {
    public static let key = "images.hflip"
    public static let meaning = "Probability that an image is mirrored left to right, 0 to 1; absent: never."

    public static func check(_ probability: Double, _ recipe: Recipe, _ here: Here) {
        here.requireProbability(["hflip": probability])
    }

    public static func join(_ transform: inout ImageTransform, _ probability: Double, _ recipe: Recipe) {
        transform.steps.append(HorizontalFlip(probability: probability))
    }

    /// Share of images that are mirrored, 0...1.
    public let probability: Double

    public init(probability: Double = 0.5) { self.probability = probability }

    public var purpose: Purpose? { .flip }

    public func apply(_ image: inout Image, _ random: inout RandomStream) {
        if random.uniform() < probability { image.mirror() }
    }
}
