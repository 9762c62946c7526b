/// Settings of the vision transformer (BEiT style): a named size, or its width, depth and heads.
public struct VisionTransformerSettings: RecipeSection {
    /// Sizes with a name. Tiny to large are the usual ones; micro is for small pictures and tests.
    public enum Preset: String, CaseIterable, Decodable, Sendable {
        case micro, tiny, small, base, large

        /// Width, depth, heads.
        public var extents: (width: Int, depth: Int, heads: Int) {
            switch self {
            case .micro: (192, 6, 3)
            case .tiny: (192, 12, 3)
            case .small: (384, 12, 6)
            case .base: (768, 12, 12)
            case .large: (1024, 24, 16)
            }
        }
    }

    public let preset: Preset?
    private let ownWidth, ownDepth, ownHeads: Int?
    public let patch: Int
    public let initValues: Double?
    public let dropPath: Double
    public let absolutePositions: Bool
    public let relativePositions: Bool
    public let sharedRelativePositions: Bool

    private enum CodingKeys: String, CodingKey {
        case preset
        case ownWidth = "width"
        case ownDepth = "depth"
        case ownHeads = "heads"
        case patch, initValues, dropPath, absolutePositions, relativePositions, sharedRelativePositions
    }

    public var width: Int { preset?.extents.width ?? ownWidth ?? 0 }
    public var depth: Int { preset?.extents.depth ?? ownDepth ?? 0 }
    public var heads: Int { preset?.extents.heads ?? ownHeads ?? 0 }

    public static let meanings = [
        "preset": "micro 192/6/3, tiny 192/12/3, small 384/12/6, base 768/12/12, large 1024/24/16 (width/depth/heads).",
        "width": "Channels of a token; with depth and heads instead of a preset.",
        "depth": "Blocks.",
        "heads": "Attention heads.",
        "patch": "Side of a token's patch, pixels.",
        "init_values": "Start value of the residual scales; absent: no scales.",
        "drop_path": "Drop rate of the last block, 0 to below 1; earlier blocks rise to it linearly.",
        "absolute_positions": "A learned vector for each position.",
        "relative_positions": "A bias table in each block.",
        "shared_relative_positions": "One bias table for all blocks.",
    ]

    public func check(_ here: Here) {
        for (key, value) in [("width", ownWidth), ("depth", ownDepth), ("heads", ownHeads)] {
            if let preset {
                here.require(value == nil, at: key, reading: ["preset"], "the preset '\(preset)' sets it; keep one")
            } else {
                here.require(value != nil, at: "", reading: [key, "preset"], "missing key '\(key)', or a preset")
            }
            if let value { here.require(value >= 1, at: key, "at least 1 expected, found \(value)") }
        }
        if let ownWidth, let ownHeads {
            here.require(
                ownWidth % ownHeads == 0, at: "heads", reading: ["width"],
                "\(ownHeads) heads do not divide the width \(ownWidth)")
        }
        here.require(patch >= 1, at: "patch", "at least 1 pixel expected, found \(patch)")
        here.require((0..<1).contains(dropPath), at: "drop_path", "0 to below 1 expected, found \(dropPath)")
        if let initValues {
            here.require(initValues > 0, at: "init_values", "more than 0 expected, found \(initValues)")
        }
    }

    /// Rules with the picture.
    public static func check(_ settings: VisionTransformerSettings, _ recipe: Recipe, _ here: Here) {
        here.recipe.require(
            recipe.images.size % settings.patch == 0, at: "model.patch", reading: ["images.size"],
            "\(settings.patch) does not divide images.size \(recipe.images.size)")
    }
}
