public import Kernels
public import Recipes

/// One step of a chain on 8-bit images. A step says which stream it draws from, so that a new step never shifts the
/// draws of the others.
public protocol Augmentation: Sendable {
    /// The stream that the step draws from; nil for a step that draws nothing.
    var purpose: Purpose? { get }
    func apply(_ image: inout Image, _ random: inout RandomStream)
}

/// Which sample is drawn for: the key of every stream of that sample.
public struct SampleKey: Equatable, Sendable {
    public let seed: UInt64
    public let epoch: UInt32
    public let sample: UInt64

    public init(seed: UInt64, epoch: UInt32, sample: UInt64) {
        self.seed = seed
        self.epoch = epoch
        self.sample = sample
    }

    public func stream(_ purpose: Purpose) -> RandomStream {
        RandomStream(seed: seed, purpose: purpose, epoch: epoch, sample: sample)
    }
}

/// An augmentation that a recipe can have under a key of `images`: one file owns its keys, its checks and its code.
public protocol ImageAugmentation: RecipePart {
    /// Takes its place in what training does to an image.
    static func join(_ transform: inout ImageTransform, _ settings: Settings, _ recipe: Recipe)
    /// The filter by which it brings an image to the model's size, which evaluations then use too; nil for one that
    /// leaves the size as it is.
    static func resizing(_ settings: Settings) -> Interpolation?
}

extension ImageAugmentation {
    public static func resizing(_ settings: Settings) -> Interpolation? { nil }

    fileprivate static func join(_ transform: inout ImageTransform, _ recipe: Recipe) {
        if let settings = recipe.settings(of: Self.self) { join(&transform, settings, recipe) }
    }

    static func resizing(_ recipe: Recipe) -> Interpolation? { recipe.settings(of: Self.self).flatMap { resizing($0) } }
}

/// Everything that happens to a decoded image until the model sees it: the steps in their order, normalised floats,
/// boxes erased in them; then complete batches are mixed.
public struct ImageTransform: Sendable {
    public var steps: [any Augmentation]
    public let normalisation: Normalisation
    public var erasing: RandomErasing?
    public var mixing: Mixing?

    public init(
        _ steps: [any Augmentation], _ normalisation: Normalisation, erasing: RandomErasing? = nil,
        mixing: Mixing? = nil
    ) {
        self.steps = steps
        self.normalisation = normalisation
        self.erasing = erasing
        self.mixing = mixing
    }

    /// Applies the steps with the draws of `key`.
    public func augment(_ image: inout Image, _ key: SampleKey) {
        for step in steps {
            // A step without a purpose draws nothing; any stream will do.
            var random = key.stream(step.purpose ?? .crop)
            step.apply(&image, &random)
        }
    }

    /// Writes an augmented image as floats, (H, W, 3), with its boxes erased.
    public func write(_ image: borrowing Image, _ key: SampleKey, into floats: Floats) {
        normalisation.apply(image, into: floats)
        guard let erasing else { return }
        var random = key.stream(.erase)
        erasing.apply(floats, height: image.height, width: image.width, &random)
    }
}

extension Recipe {
    /// Everything that training does to an image.
    /// - Parameter augmentations: those that a recipe can have, in the order in which they run.
    public func trainingTransform(_ augmentations: [any ImageAugmentation.Type]) -> ImageTransform {
        var transform = ImageTransform([], Normalisation(images.normalize))
        if !augmentations.contains(where: { $0.resizing(self) != nil }) {
            transform.steps = [Resizing(.exactly(height: images.size, width: images.size), .bilinear)]
        }
        for augmentation in augmentations { augmentation.join(&transform, self) }
        return transform
    }
}
