public import Autodiff
public import Recipes

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

    /// The model section of a recipe with `kind: swin`: a named size, or embed_dim, depths and num_heads.
    public struct Settings: EncoderSettings, Equatable {
        public static let kind = "swin"

        private let preset: Size?
        private let ownWidth: Int?
        private let ownDepths, ownHeads: [Int]?
        /// Side of a patch in pixels.
        public let patch: Int
        /// Tokens along a side of a window. A stage whose grid is not larger is one window, without shifts.
        public let window: Int
        /// Drop rate of the last block, 0..<1; it grows linearly from 0.
        public var dropPathRate = 0.0
        public var usesAbsolutePositions = false

        // Choices of the reference that no recipe has.
        /// Width of the hidden layer over the width of a token.
        package var mlpRatio = 4.0
        package var hasQKVBias = true
        /// Factor of q·kᵀ; nil = 1/√(head width).
        package var queryScale: Double?
        package var hasPatchNorm = true
        package var epsilon = 1e-5

        public init(_ size: Size, patch: Int, window: Int) {
            (preset, ownWidth, ownDepths, ownHeads) = (size, nil, nil, nil)
            (self.patch, self.window) = (patch, window)
        }

        public init(width: Int, depths: [Int], heads: [Int], patch: Int, window: Int) {
            (preset, ownWidth, ownDepths, ownHeads) = (nil, width, depths, heads)
            (self.patch, self.window) = (patch, window)
        }

        private enum CodingKeys: String, CodingKey {
            case preset
            case ownWidth = "embed_dim"
            case ownDepths = "depths"
            case ownHeads = "num_heads"
            case patch = "patch_size"
            case window = "window_size"
            case dropPathRate = "drop_path_rate"
            case usesAbsolutePositions = "use_abs_pos_emb"
        }

        /// Channels of the first stage; each further stage has twice as many.
        public var width: Int { preset?.width ?? ownWidth ?? 0 }
        /// Blocks of each stage.
        public var depths: [Int] { preset?.depths ?? ownDepths ?? [] }
        /// Attention heads of each stage.
        public var heads: [Int] { preset?.heads ?? ownHeads ?? [] }

        public static let meanings = [
            "preset": Size.allCases.map { size in
                let list = { (numbers: [Int]) in numbers.map(String.init).joined(separator: ",") }
                return "\(size) \(size.width)/\(list(size.depths))/\(list(size.heads))"
            }.joined(separator: "; ") + " (embed_dim/depths/num_heads).",
            "embed_dim": "Channels of a token in the first stage; with depths and num_heads instead of a preset.",
            "depths": "Blocks of each stage; each halves the grid of the one before and doubles its channels.",
            "num_heads": "Attention heads of each stage.",
            "patch_size": "Side of a token's patch, pixels.",
            "window_size": "Side of a window, tokens; a smaller grid is one window.",
            "drop_path_rate": "Drop rate of the last block, 0 to below 1; earlier blocks rise to it linearly.",
            "use_abs_pos_emb": "A learned vector for each position of the first grid.",
        ]

        public func check(_ here: Here) {
            here.require(preset: preset, or: ["embed_dim": ownWidth, "depths": ownDepths, "num_heads": ownHeads])
            here.requirePositive(["embed_dim": ownWidth])
            for case let (key, numbers?) in [("depths", ownDepths), ("num_heads", ownHeads)] {
                here.require(
                    !numbers.isEmpty && numbers.allSatisfy { $0 >= 1 }, at: key,
                    "numbers of at least 1 expected, found \(numbers)")
            }
            if let ownWidth, let ownDepths, let ownHeads {
                here.require(
                    ownDepths.count == ownHeads.count, at: "num_heads", reading: ["depths"],
                    "\(ownHeads.count) stages, depths has \(ownDepths.count)")
                for (stage, heads) in ownHeads.enumerated() where heads >= 1 && stage < 32 {
                    here.require(
                        (ownWidth << stage) % heads == 0, at: "num_heads", reading: ["embed_dim"],
                        "\(heads) heads do not divide the \(ownWidth << stage) channels of stage \(stage)")
                }
            }
            here.require(patch >= 1, at: "patch_size", "at least 1 pixel expected, found \(patch)")
            here.require(window >= 1, at: "window_size", "at least 1 token expected, found \(window)")
            here.requireDropRate(["drop_path_rate": dropPathRate])
        }

        /// Rules with the image: every grid is halved and cut into windows evenly.
        public func check(_ recipe: Recipe, _ here: Here) {
            here.requirePatches(of: patch, recipe)
            let (size, all) = (recipe.images.size, here.recipe)
            guard patch >= 1, window >= 1, size % patch == 0 else { return }
            for stage in depths.indices where stage < 32 {
                let (side, halvings) = (size / patch, 1 << stage)
                all.require(
                    side % halvings == 0, at: "model.patch_size",
                    reading: ["images.size", "model.depths", "model.preset"],
                    "a grid of \(side) tokens cannot be halved \(stage) times; change images.size or the patch")
                guard side % halvings == 0 else { return }
                let grid = side / halvings
                all.require(
                    grid % min(window, grid) == 0, at: "model.window_size",
                    reading: ["images.size", "model.patch_size"],
                    "\(window) does not divide the \(grid) tokens along a side of stage \(stage)")
            }
        }

        public func encoder(_ scope: Scope, image: ImageSpec, for use: EncoderUse) throws(ModelError) -> any Encoder {
            try SwinTransformer(scope, self, image: image, for: use)
        }

        public var lineage: [String: String] {
            ["embed_dim": "\(width)", "depths": "\(depths)", "num_heads": "\(heads)", "patch_size": "\(patch)"]
        }
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

        /// The distance that the windows of a block are moved: every second block's by half a window, unless there is
        /// only one.
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
        try image.check(patch: patch)
        guard window > 0 else {
            throw ModelError(
                "model.window_size", found: "\(window)", expected: "at least 1", hint: "the reference has 6 or 7")
        }
        guard dropPathRate >= 0, dropPathRate < 1 else {
            throw ModelError(
                "model.drop_path_rate", found: "\(dropPathRate)", expected: "a probability in 0..<1",
                hint: "0 switches stochastic depth off")
        }
        for (number, stage) in stages(of: image).enumerated() { try check(stage, number, image) }
    }

    private func check(_ stage: Stage, _ number: Int, _ image: ImageSpec) throws(ModelError) {
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
