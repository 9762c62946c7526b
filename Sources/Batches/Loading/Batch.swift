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
    /// (B, mask), 1 = hidden.
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
