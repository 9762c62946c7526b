public import Recipes

/// The model section of a recipe with `kind: token_vit`: a named size, or width, depth and heads.
public struct TokenTransformerSection: EncoderSection {
    public static let kind = "token_vit"

    private let preset: VisionTransformer.Size?
    private let width, depth, heads: Int?
    private let patch: Int
    private let input: TokenTransformer.Input
    private let dropPath, dropout: Double

    public var encoder: any EncoderSettings {
        var settings = TokenTransformer.Settings(
            width: preset?.width ?? width ?? 0, depth: preset?.depth ?? depth ?? 0,
            heads: preset?.heads ?? heads ?? 0, input: input)
        (settings.patch, settings.dropPathRate, settings.dropout) = (patch, dropPath, dropout)
        return settings
    }

    public static let defaults = ["patch": "2"]
    public static let meanings = [
        "preset": VisionTransformer.Size.allCases.map { "\($0) \($0.width)/\($0.depth)/\($0.heads)" }
            .joined(separator: ", ") + " (width/depth/heads).",
        "width": "Channels of a patch; with depth and heads instead of a preset.",
        "depth": "Blocks.",
        "heads": "Attention heads.",
        "patch": "Side of a patch, tokens.",
        "input": "ids: a learned embedding (SeiT++); vectors: those of the codebook, patches overlap (SeiT).",
        "drop_path": "Drop rate of the last block, 0 to below 1; earlier blocks rise to it linearly.",
        "dropout": "Share of the embedding's numbers dropped in training, 0 to below 1; of ids only.",
    ]

    public func check(_ here: Here) {
        here.require(preset: preset, or: ["width": width, "depth": depth, "heads": heads])
        here.requirePositive(["width": width, "depth": depth, "heads": heads])
        if let width, let heads {
            here.require(
                heads >= 1 && width % heads == 0 && width % 4 == 0, at: "heads", reading: ["width"],
                "\(heads) heads do not divide the width \(width), or that is no multiple of 4")
        }
        here.require(
            patch >= 1 && (patch % 2 == 0 || input == .ids), at: "patch", reading: ["input"],
            "an even number of tokens expected, or any with input 'ids', found \(patch)")
        for (key, rate) in [("drop_path", dropPath), ("dropout", dropout)] {
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
            section.patch >= 1 && tokens.size % section.patch == 0, at: "model.patch", reading: ["tokens.size"],
            "\(section.patch) does not divide tokens.size \(tokens.size)")
    }
}
