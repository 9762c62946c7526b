public import Recipes

/// The model section of a recipe with `kind: token_vit`: a named size, or embed_dim, depth and num_heads.
public struct TokenTransformerSection: EncoderSection {
    public static let kind = "token_vit"

    private let preset: VisionTransformer.Size?
    private let embedDim, depth, numHeads: Int?
    private let patchSize: Int
    private let input: TokenTransformer.Input
    private let dropPathRate, dropout: Double

    public var encoder: any EncoderSettings {
        var settings = TokenTransformer.Settings(
            width: preset?.width ?? embedDim ?? 0, depth: preset?.depth ?? depth ?? 0,
            heads: preset?.heads ?? numHeads ?? 0, input: input)
        (settings.patch, settings.dropPathRate, settings.dropout) = (patchSize, dropPathRate, dropout)
        return settings
    }

    public static let defaults = ["patch_size": "2"]
    public static let meanings = [
        "preset": VisionTransformer.Size.allCases.map { "\($0) \($0.width)/\($0.depth)/\($0.heads)" }
            .joined(separator: ", ") + " (embed_dim/depth/num_heads).",
        "embed_dim": "Channels of a patch; with depth and num_heads instead of a preset.",
        "depth": "Blocks.",
        "num_heads": "Attention heads.",
        "patch_size": "Side of a patch, tokens.",
        "input": "ids: a learned embedding (SeiT++); vectors: those of the codebook, patches overlap (SeiT).",
        "drop_path_rate": "Drop rate of the last block, 0 to below 1; earlier blocks rise to it linearly.",
        "dropout": "Share of the embedding's numbers dropped in training, 0 to below 1; of ids only.",
    ]

    public func check(_ here: Here) {
        here.require(preset: preset, or: ["embed_dim": embedDim, "depth": depth, "num_heads": numHeads])
        here.requirePositive(["embed_dim": embedDim, "depth": depth, "num_heads": numHeads])
        if let embedDim, let numHeads {
            here.require(
                numHeads >= 1 && embedDim % numHeads == 0 && embedDim % 4 == 0, at: "num_heads", reading: ["embed_dim"],
                "\(numHeads) heads do not divide the \(embedDim) channels, or that is no multiple of 4")
        }
        here.require(
            patchSize >= 1 && (patchSize % 2 == 0 || input == .ids), at: "patch_size", reading: ["input"],
            "an even number of tokens expected, or any with input 'ids', found \(patchSize)")
        for (key, rate) in [("drop_path_rate", dropPathRate), ("dropout", dropout)] {
            here.require((0..<1).contains(rate), at: key, "0 to below 1 expected, found \(rate)")
        }
        here.require(
            dropout == 0 || input == .ids, at: "dropout", reading: ["input"],
            "vectors are not embedded; only input 'ids' has it")
    }

    public static func check(_ section: TokenTransformerSection, _ recipe: Recipe, _ here: Here) {
        here.recipe.require(
            recipe.tokens != nil, at: "model.kind", reading: ["tokens"],
            "this encoder reads tokens; give a section 'tokens' in place of 'images'")
        guard let tokens = recipe.tokens else { return }
        here.recipe.require(
            section.patchSize >= 1 && tokens.size % section.patchSize == 0, at: "model.patch_size", reading: ["tokens.size"],
            "\(section.patchSize) does not divide tokens.size \(tokens.size)")
    }
}
