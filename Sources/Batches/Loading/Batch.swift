public import Kernels

/// The extents of a batch; all its slots have them.
public struct BatchShape: Sendable, Equatable {
    /// Samples.
    public let size: Int
    /// Pixels; tokens where the set holds those.
    public let height, width: Int
    /// Floats of a pixel: red, green and blue. Of a token: 1 for its id, or the numbers of its code vector.
    public let channels: Int
    /// Floats of one sample's mask; 0 without masks.
    public let maskCount: Int
    /// Classes of the soft targets; 0 without them.
    public let targetClasses: Int

    public init(
        size: Int, height: Int, width: Int, channels: Int = 3, maskCount: Int = 0, targetClasses: Int = 0
    ) {
        self.size = size
        self.height = height
        self.width = width
        self.channels = channels
        self.maskCount = maskCount
        self.targetClasses = targetClasses
    }

    /// Floats of one image.
    public var imageCount: Int { height * width * channels }
}

/// One micro-batch in memory that is used again: images, masks, labels and where they come from.
public final class Batch: Sendable {
    public let shape: BatchShape
    /// (B, H, W, C): normalised pixels, or the ids or code vectors of tokens.
    public let images: Floats
    /// (B, side, side), 1 = masked; see `Masking`.
    public let masks: Floats
    /// (B), -1 without a label.
    public let labels: Indices
    /// (B), the numbers of the samples that are in the slots, substitutes included; -1 in an empty slot.
    public let samples: Indices
    /// (B), `SampleKey.sample` of each slot: what later draws for it are keyed by.
    public let keys: Buffer<UInt64>
    /// (B, classes): shares that add up to 1, one-hot where nothing is mixed.
    public let targets: Floats
    private let numbers: Buffer<Int>

    public init(_ shape: BatchShape) {
        self.shape = shape
        images = Floats(zeros: shape.size * shape.imageCount)
        masks = Floats(zeros: shape.size * shape.maskCount)
        labels = Indices(zeros: shape.size)
        samples = Indices(zeros: shape.size)
        keys = Buffer(zeros: shape.size)
        targets = Floats(zeros: shape.size * shape.targetClasses)
        numbers = Buffer(zeros: 4)
    }

    /// Position in this rank's sequence of micro-batches.
    public internal(set) var number: Int {
        get { numbers[0] }
        set { numbers[0] = newValue }
    }
    public internal(set) var update: Int {
        get { numbers[1] }
        set { numbers[1] = newValue }
    }
    public internal(set) var epoch: Int {
        get { numbers[2] }
        set { numbers[2] = newValue }
    }
    /// Samples in it: less than the shape's size only at the end of a set in stored order. Empty slots hold zeros.
    public internal(set) var count: Int {
        get { numbers[3] }
        set { numbers[3] = newValue }
    }

    public func image(_ slot: Int) -> Floats { images[slot * shape.imageCount..<(slot + 1) * shape.imageCount] }
    public func mask(_ slot: Int) -> Floats { masks[slot * shape.maskCount..<(slot + 1) * shape.maskCount] }
    public func target(_ slot: Int) -> Floats {
        targets[slot * shape.targetClasses..<(slot + 1) * shape.targetClasses]
    }
}

extension Batch {
    /// Becomes the same samples as `other`, which has as many: numbers, labels and, where both have them, masks and
    /// targets; not what the model sees of them.
    public func takeSamples(of other: Batch) {
        precondition(shape.size == other.shape.size, "batches of one size")
        (number, update, epoch, count) = (other.number, other.update, other.epoch, other.count)
        labels.copy(from: other.labels)
        samples.copy(from: other.samples)
        keys.copy(from: other.keys)
        if masks.count == other.masks.count { masks.copy(from: other.masks) }
        if targets.count == other.targets.count { targets.copy(from: other.targets) }
    }

    /// The key of the sample in a slot.
    public func key(_ slot: Int, seed: UInt64) -> SampleKey {
        SampleKey(seed: seed, epoch: UInt32(epoch), sample: keys[slot])
    }

    /// A batch without a data set, for timing a step: normalised pixels drawn uniformly with the mean 0 and the
    /// standard deviation 1 of real ones, and masks. Labels go round the classes.
    /// - Parameter codes: of a codebook whose ids stand in the place of pixels; nil for pixels or code vectors.
    public convenience init(
        synthetic shape: BatchShape, seed: UInt64, first: Int = 0, codes: Int? = nil, masking: (any Masking)? = nil
    ) {
        self.init(shape)
        count = shape.size
        for slot in 0..<shape.size {
            let key = SampleKey(seed: seed, epoch: 0, sample: UInt64(first + slot))
            var random = key.stream(.procedural)
            let image = image(slot)
            for pixel in 0..<image.count {
                image[pixel] =
                    codes.map { Float(random.below($0)) } ?? (Float(random.word() >> 8) * 0x1p-23 - 1) * 1.7320508
            }
            masking?.draw(key, update: 0, into: mask(slot))
            samples[slot] = Int32(first + slot)
            keys[slot] = key.sample
            guard shape.targetClasses > 0 else { continue }
            labels[slot] = Int32((first + slot) % shape.targetClasses)
            targets[slot * shape.targetClasses + Int(labels[slot])] = 1
        }
    }
}
