import Recipes

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
        try image.check(patch: patch)
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

extension ImageSpec {
    /// Refuses a side that patches of this side do not fill.
    func check(patch: Int) throws(ModelError) {
        guard patch > 0, side > 0, side % patch == 0 else {
            throw ModelError(
                "model.patch_size", found: "\(patch)", expected: "a divisor of the image side \(side)",
                hint: "change the patch or the crop")
        }
    }

    /// Refuses a side that is no multiple of a convnet's stride.
    func check(stride: Int) throws(ModelError) {
        guard side > 0, side % stride == 0 else {
            throw ModelError(
                "images.size", found: "\(side)", expected: "a multiple of the network's stride \(stride)",
                hint: "mask cells are \(stride) pixels wide")
        }
    }
}

/// Rules that the sections of several encoders have.
extension Here {
    /// Patches of this side fill the images of the recipe.
    func requirePatches(of side: Int, _ recipe: Recipe) {
        self.recipe.require(
            side >= 1 && recipe.images.size % side == 0, at: "model.patch_size", reading: ["images.size"],
            "\(side) does not divide images.size \(recipe.images.size)")
    }

    /// The images of the recipe are cut evenly by a convnet's stride.
    func requireStride(_ stride: Int, _ recipe: Recipe) {
        self.recipe.require(
            stride > 0 && recipe.images.size % stride == 0, at: "images.size", reading: ["model"],
            "a multiple of the network's stride \(stride) expected, found \(recipe.images.size)")
    }

    /// Shares that are dropped, by key; nil for a key that is absent.
    func requireDropRate(_ rates: KeyValuePairs<String, Double?>) {
        for case let (key, rate?) in rates {
            require((0..<1).contains(rate), at: key, "0 to below 1 expected, found \(rate)")
        }
    }
}
