public import Kernels

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

/// Everything that happens to a decoded image until the model sees it: the steps in their order, normalised floats, boxes erased
/// in them; then complete batches are mixed.
/// The order of a training chain is crop and resize, flip, policy or colour jitter, normalisation, erasing, mixing.
public struct ImageTransform: Sendable {
    public let steps: [any Augmentation]
    public let normalisation: Normalisation
    public let erasing: RandomErasing?
    public let mixing: Mixing?

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
