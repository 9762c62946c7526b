public import Recipes

/// The model section of a recipe with `kind: vit`: a named size, or width, depth and heads.
public struct VisionTransformerSection: EncoderSection {
    public static let kind = "vit"

    private let preset: VisionTransformer.Size?
    private let ownWidth, ownDepth, ownHeads: Int?
    private let patch: Int
    private let initValues: Double?
    private let dropPath: Double
    private let absolutePositions, relativePositions, sharedRelativePositions, meanPooling: Bool
    private let keyBias: Bool?

    private enum CodingKeys: String, CodingKey {
        case preset
        case ownWidth = "width"
        case ownDepth = "depth"
        case ownHeads = "heads"
        case patch, initValues, dropPath, absolutePositions, relativePositions, sharedRelativePositions
        case meanPooling, keyBias
    }

    public var encoder: any EncoderSettings { settings }

    public var settings: VisionTransformer.Settings {
        var settings = VisionTransformer.Settings(
            width: preset?.width ?? ownWidth ?? 0, depth: preset?.depth ?? ownDepth ?? 0,
            heads: preset?.heads ?? ownHeads ?? 0, patch: patch)
        settings.layerScale = initValues
        settings.dropPathRate = dropPath
        settings.usesAbsolutePositions = absolutePositions
        settings.usesBlockPositionBias = relativePositions
        settings.usesSharedPositionBias = sharedRelativePositions
        settings.usesMeanPooling = meanPooling
        if keyBias == true { settings.qkvBias = .full }
        return settings
    }

    public static let defaults = ["mean_pooling": "false"]
    public static let meanings = [
        "preset": VisionTransformer.Size.allCases.map { "\($0) \($0.width)/\($0.depth)/\($0.heads)" }
            .joined(separator: ", ") + " (width/depth/heads).",
        "width": "Channels of a token; with depth and heads instead of a preset.",
        "depth": "Blocks.",
        "heads": "Attention heads.",
        "patch": "Side of a token's patch, pixels.",
        "init_values": "Start value of the residual scales; absent: no scales.",
        "drop_path": "Drop rate of the last block, 0 to below 1; earlier blocks rise to it linearly.",
        "absolute_positions": "A learned vector for each position.",
        "relative_positions": "A bias table in each block.",
        "shared_relative_positions": "One bias table for all blocks.",
        "mean_pooling": "A classifier reads the norm of the mean over patches, else the class token after a norm.",
        "key_bias": "Attention adds a bias to keys too, as the original ViT, DeiT and MAE; absent: none, as BEiT.",
    ]

    public func check(_ here: Here) {
        here.require(preset: preset, or: ["width": ownWidth, "depth": ownDepth, "heads": ownHeads])
        here.requirePositive(["width": ownWidth, "depth": ownDepth, "heads": ownHeads])
        if let ownWidth, let ownHeads {
            here.require(
                ownHeads >= 1 && ownWidth % ownHeads == 0, at: "heads", reading: ["width"],
                "\(ownHeads) heads do not divide the width \(ownWidth)")
        }
        here.require(patch >= 1, at: "patch", "at least 1 pixel expected, found \(patch)")
        here.require((0..<1).contains(dropPath), at: "drop_path", "0 to below 1 expected, found \(dropPath)")
        if let initValues {
            here.require(initValues > 0, at: "init_values", "more than 0 expected, found \(initValues)")
        }
    }

    /// Rules with the image.
    public static func check(_ section: VisionTransformerSection, _ recipe: Recipe, _ here: Here) {
        here.recipe.require(
            section.patch >= 1 && recipe.images.size % section.patch == 0, at: "model.patch", reading: ["images.size"],
            "\(section.patch) does not divide images.size \(recipe.images.size)")
    }
}
