public import Recipes

/// The model section of a recipe with `kind: vq_vit`: encoder and decoder of the tokenizer, which have the same sizes.
public struct TokenizerSection: EncoderSection {
    public static let kind = "vq_vit"

    private let embedDim, depth, numHeads, headDim, hidden, patchSize: Int

    public var encoder: any EncoderSettings {
        TokenizerEncoder.Settings(
            .init(width: embedDim, depth: depth, heads: numHeads, headWidth: headDim, hidden: hidden), patch: patchSize)
    }

    public static let defaults = ["head_dim": "64"]
    public static let meanings = [
        "embed_dim": "Channels of a token inside encoder and decoder, a multiple of 4.",
        "depth": "Layers of the encoder, and as many of the decoder.",
        "num_heads": "Heads of the attention.",
        "head_dim": "Channels of a head.",
        "hidden": "Channels inside the MLP.",
        "patch_size": "Side of a patch, pixels: a token each.",
    ]

    public func check(_ here: Here) {
        here.requirePositive([
            "embed_dim": embedDim, "depth": depth, "num_heads": numHeads, "head_dim": headDim, "hidden": hidden,
            "patch_size": patchSize,
        ])
        here.require(embedDim % 4 == 0, at: "embed_dim", "a multiple of 4 expected, found \(embedDim)")
    }

    public static func check(_ section: TokenizerSection, _ recipe: Recipe, _ here: Here) {
        here.recipe.require(
            section.patchSize >= 1 && recipe.images.size % section.patchSize == 0, at: "model.patch_size", reading: ["images.size"],
            "\(section.patchSize) does not divide images.size \(recipe.images.size)")
    }
}
