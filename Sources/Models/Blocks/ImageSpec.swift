/// The images a model is built for.
public struct ImageSpec: Sendable, Equatable {
    /// Side in pixels; images are square.
    public let side: Int
    public let channels: Int
    /// The tokens where the input is a grid of these: `side` then counts them.
    public var tokens: TokenSpec?

    public init(side: Int, channels: Int = 3, tokens: TokenSpec? = nil) {
        self.side = side
        self.channels = channels
        self.tokens = tokens
    }
}

/// The tokens a model is built for, where its input is a grid of those and no image.
public struct TokenSpec: Sendable, Equatable {
    /// K: ids are 0..<codes.
    public let codes: Int
    /// D: numbers of a code vector.
    public let width: Int

    public init(codes: Int, width: Int) { (self.codes, self.width) = (codes, width) }
}

/// The patches that an image is cut into; images and patches may be rectangular.
public struct PatchGrid: Sendable, Equatable {
    /// Patches down and across.
    public let rows, columns: Int
    /// Pixels of a patch.
    public let height, width: Int
    public let channels: Int

    public init(rows: Int, columns: Int, height: Int, width: Int, channels: Int = 3) {
        (self.rows, self.columns, self.height, self.width) = (rows, columns, height, width)
        self.channels = channels
    }

    /// A square image in square patches.
    init(_ image: ImageSpec, patch: Int) throws(ModelError) {
        guard patch > 0, image.side > 0, image.side % patch == 0 else {
            throw ModelError(
                "model.patch_size", found: "\(patch)", expected: "a divisor of the image side \(image.side)",
                hint: "change the patch or the crop")
        }
        let side = image.side / patch
        self.init(rows: side, columns: side, height: patch, width: patch, channels: image.channels)
    }

    public var count: Int { rows * columns }
    /// Numbers of a patch.
    var floats: Int { height * width * channels }
    /// The same as a square grid of features.
    func features(width: Int) -> FeatureGrid { FeatureGrid(side: rows, stride: height, width: width) }
}

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
