extension SwinTransformer {
    /// Named sizes, all with heads of 32 channels; micro is for small images.
    public enum Size: String, CaseIterable, Sendable, Decodable {
        case micro, tiny, small, base, large

        public var width: Int {
            switch self {
            case .micro: 64
            case .tiny, .small: 96
            case .base: 128
            case .large: 192
            }
        }
        public var depths: [Int] {
            switch self {
            case .micro: [2, 4]
            case .tiny: [2, 2, 6, 2]
            case .small, .base, .large: [2, 2, 18, 2]
            }
        }
        public var heads: [Int] {
            switch self {
            case .micro: [2, 4]
            case .tiny, .small: [3, 6, 12, 24]
            case .base: [4, 8, 16, 32]
            case .large: [6, 12, 24, 48]
            }
        }
    }

    /// The shape of the network. Keys are those of the reference's configuration.
    public struct Settings: Sendable, Equatable {
        /// Channels of the first stage; each further stage has twice as many.
        public var width: Int
        /// Blocks of each stage.
        public var depths: [Int]
        /// Attention heads of each stage.
        public var heads: [Int]
        /// Side of a patch in pixels.
        public var patch: Int
        /// Tokens along a side of a window. A stage whose grid is not larger is one window, without shifts.
        public var window: Int
        /// Width of the hidden layer over the width of a token.
        public var mlpRatio = 4.0
        public var hasQKVBias = true
        /// Factor of q·kᵀ; nil = 1/√(head width).
        public var queryScale: Double?
        public var usesAbsolutePositions = false
        public var hasPatchNorm = true
        /// Drop rate of the last block, 0..<1; it grows linearly from 0.
        public var dropPathRate = 0.0
        public var epsilon = 1e-5

        public init(_ size: Size, patch: Int, window: Int) {
            self.init(width: size.width, depths: size.depths, heads: size.heads, patch: patch, window: window)
        }

        public init(width: Int, depths: [Int], heads: [Int], patch: Int, window: Int) {
            self.width = width
            self.depths = depths
            self.heads = heads
            self.patch = patch
            self.window = window
        }
    }
}

extension SwinTransformer.Settings: Decodable {
    private enum CodingKeys: String, CodingKey {
        case width = "embed_dim"
        case depths
        case heads = "num_heads"
        case patch = "patch_size"
        case window = "window_size"
        case mlpRatio = "mlp_ratio"
        case hasQKVBias = "qkv_bias"
        case queryScale = "qk_scale"
        case usesAbsolutePositions = "ape"
        case hasPatchNorm = "patch_norm"
        case dropPathRate = "drop_path_rate"
        case epsilon = "ln_eps"
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            width: try values.decode(Int.self, forKey: .width), depths: try values.decode([Int].self, forKey: .depths),
            heads: try values.decode([Int].self, forKey: .heads), patch: try values.decode(Int.self, forKey: .patch),
            window: try values.decode(Int.self, forKey: .window))
        mlpRatio = try values.decodeIfPresent(Double.self, forKey: .mlpRatio) ?? mlpRatio
        hasQKVBias = try values.decodeIfPresent(Bool.self, forKey: .hasQKVBias) ?? hasQKVBias
        queryScale = try values.decodeIfPresent(Double.self, forKey: .queryScale)
        usesAbsolutePositions = try values.decode(Bool.self, forKey: .usesAbsolutePositions)
        hasPatchNorm = try values.decode(Bool.self, forKey: .hasPatchNorm)
        dropPathRate = try values.decode(Double.self, forKey: .dropPathRate)
        epsilon = try values.decodeIfPresent(Double.self, forKey: .epsilon) ?? epsilon
    }
}

extension SwinTransformer.Settings {
    /// The grid and windows of one stage.
    struct Stage: Equatable {
        let width, heads, depth: Int
        /// Tokens along a side of the grid.
        let side: Int
        /// Tokens along a side of a window.
        let window: Int

        /// How far the windows of a block are moved: every second block's by half a window, unless there is only one.
        func shift(block: Int) -> Int { window < side && block % 2 == 1 ? window / 2 : 0 }
    }

    func stages(of image: ImageSpec) -> [Stage] {
        depths.indices.map { stage in
            let side = (image.side / patch) >> stage
            return Stage(
                width: width << stage, heads: heads[stage], depth: depths[stage], side: side, window: min(window, side))
        }
    }

    /// Refuses extents that do not divide. Nothing is padded.
    func check(_ image: ImageSpec) throws(ModelError) {
        guard !depths.isEmpty, depths.allSatisfy({ $0 > 0 }), depths.count == heads.count else {
            throw ModelError(
                "model.depths", found: "\(depths) blocks with \(heads) heads",
                expected: "as many stages as numbers of heads, each with a block",
                hint: "the reference has four stages")
        }
        guard patch > 0, image.side > 0, image.side % patch == 0 else {
            throw ModelError(
                "model.patch_size", found: "\(patch)", expected: "a divisor of the image side \(image.side)",
                hint: "change the patch or the crop")
        }
        guard window > 0 else {
            throw ModelError(
                "model.window_size", found: "\(window)", expected: "at least 1", hint: "the reference has 6 or 7")
        }
        guard dropPathRate >= 0, dropPathRate < 1 else {
            throw ModelError(
                "model.drop_path_rate", found: "\(dropPathRate)", expected: "a probability in 0..<1",
                hint: "0 switches stochastic depth off")
        }
        for (number, stage) in stages(of: image).enumerated() {
            guard stage.heads > 0, stage.width > 0, stage.width % stage.heads == 0 else {
                throw ModelError(
                    "model.num_heads", found: "\(stage.heads) in stage \(number)",
                    expected: "a divisor of its \(stage.width) channels",
                    hint: "each head takes an equal share of the channels")
            }
            let halvings = depths.count - 1
            guard stage.side > 0, image.side / patch % (1 << number) == 0 else {
                throw ModelError(
                    "model.depths", found: "a grid of \(image.side / patch) patches along a side",
                    expected: "a multiple of \(1 << halvings)", hint: "the grid is halved \(halvings) times")
            }
            guard stage.side % stage.window == 0 else {
                throw ModelError(
                    "model.window_size", found: "\(window)",
                    expected: "a divisor of the \(stage.side) tokens along a side of stage \(number)",
                    hint: "change the window or the crop")
            }
        }
    }
}
