public import Recipes

/// The model section of a recipe with `kind: vit`: a named size, or embed_dim, depth and num_heads.
public struct VisionTransformerSection: EncoderSection {
    public static let kind = "vit"

    private let preset: VisionTransformer.Size?
    private let embedDim, depth, numHeads: Int?
    private let patchSize: Int
    private let initValues: Double?
    private let dropPathRate: Double
    private let useAbsPosEmb, useRelPosBias, useSharedRelPosBias: Bool
    private let globalPool: TokenPooling
    private let keyBias: Bool?

    public var encoder: any EncoderSettings { settings }

    public var settings: VisionTransformer.Settings {
        var settings = VisionTransformer.Settings(
            width: preset?.width ?? embedDim ?? 0, depth: preset?.depth ?? depth ?? 0,
            heads: preset?.heads ?? numHeads ?? 0, patch: patchSize)
        settings.layerScale = initValues
        settings.dropPathRate = dropPathRate
        settings.usesAbsolutePositions = useAbsPosEmb
        settings.usesBlockPositionBias = useRelPosBias
        settings.usesSharedPositionBias = useSharedRelPosBias
        settings.usesMeanPooling = globalPool == .mean
        if keyBias == true { settings.qkvBias = .full }
        return settings
    }

    public static let defaults = ["global_pool": "token"]
    public static let meanings = [
        "preset": VisionTransformer.Size.allCases.map { "\($0) \($0.width)/\($0.depth)/\($0.heads)" }
            .joined(separator: ", ") + " (embed_dim/depth/num_heads).",
        "embed_dim": "Channels of a token; with depth and num_heads instead of a preset.",
        "depth": "Blocks.",
        "num_heads": "Attention heads.",
        "patch_size": "Side of a token's patch, pixels.",
        "init_values": "Start value of the residual scales; absent: no scales.",
        "drop_path_rate": "Drop rate of the last block, 0 to below 1; earlier blocks rise to it linearly.",
        "use_abs_pos_emb": "A learned vector for each position.",
        "use_rel_pos_bias": "A bias table in each block.",
        "use_shared_rel_pos_bias": "One bias table for all blocks.",
        "global_pool": "What a classifier reads. avg: the norm of the mean over patches; token: the class token after a norm.",
        "key_bias": "Attention adds a bias to keys too, as the original ViT, DeiT and MAE; absent: none, as BEiT.",
    ]

    public func check(_ here: Here) {
        here.require(preset: preset, or: ["embed_dim": embedDim, "depth": depth, "num_heads": numHeads])
        here.requirePositive(["embed_dim": embedDim, "depth": depth, "num_heads": numHeads])
        if let embedDim, let numHeads {
            here.require(
                numHeads >= 1 && embedDim % numHeads == 0, at: "num_heads", reading: ["embed_dim"],
                "\(numHeads) heads do not divide the embed_dim \(embedDim)")
        }
        here.require(patchSize >= 1, at: "patch_size", "at least 1 pixel expected, found \(patchSize)")
        here.require(
            (0..<1).contains(dropPathRate), at: "drop_path_rate", "0 to below 1 expected, found \(dropPathRate)")
        if let initValues {
            here.require(initValues > 0, at: "init_values", "more than 0 expected, found \(initValues)")
        }
    }

    /// Rules with the image.
    public static func check(_ section: VisionTransformerSection, _ recipe: Recipe, _ here: Here) {
        here.recipe.require(
            section.patchSize >= 1 && recipe.images.size % section.patchSize == 0, at: "model.patch_size", reading: ["images.size"],
            "\(section.patchSize) does not divide images.size \(recipe.images.size)")
    }
}
