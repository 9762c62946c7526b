public import Recipes

/// The model section of a recipe with `kind: vq_vit`: encoder and decoder of the tokenizer, which have the same sizes.
public struct TokenizerSection: EncoderSection {
    public static let kind = "vq_vit"

    private let width, depth, heads, headWidth, hidden, patch: Int

    public var encoder: any EncoderSettings {
        TokenizerEncoder.Settings(
            .init(width: width, depth: depth, heads: heads, headWidth: headWidth, hidden: hidden), patch: patch)
    }

    public static let defaults = ["head_width": "64"]
    public static let meanings = [
        "width": "Channels of a token inside encoder and decoder, a multiple of 4.",
        "depth": "Layers of the encoder, and as many of the decoder.",
        "heads": "Heads of the attention.",
        "head_width": "Channels of a head.",
        "hidden": "Channels inside the MLP.",
        "patch": "Side of a patch, pixels: a token each.",
    ]

    public func check(_ here: Here) {
        here.requirePositive([
            "width": width, "depth": depth, "heads": heads, "head_width": headWidth, "hidden": hidden, "patch": patch,
        ])
        here.require(width % 4 == 0, at: "width", "a multiple of 4 expected, found \(width)")
    }

    public static func check(_ section: TokenizerSection, _ recipe: Recipe, _ here: Here) {
        here.recipe.require(
            section.patch >= 1 && recipe.images.size % section.patch == 0, at: "model.patch", reading: ["images.size"],
            "\(section.patch) does not divide images.size \(recipe.images.size)")
    }
}
