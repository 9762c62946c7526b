public import Recipes

/// The model section of a recipe with `kind: cifar_resnet`: the networks for images of 32 pixels.
public struct CIFARResNetSection: EncoderSection {
    public static let kind = "cifar_resnet"

    private let preset: CIFARResNet.Kind

    public static let meanings = [
        "preset": "resnet34, or preact_resnet18 with the norm before each convolution; both with a first stride of 1."
    ]

    public var encoder: any EncoderSettings { preset }

    /// Rules with the image.
    public static func check(_ section: CIFARResNetSection, _ recipe: Recipe, _ here: Here) {
        here.recipe.require(
            recipe.images.size % CIFARResNet.ratio == 0, at: "images.size", reading: ["model"],
            "a multiple of the network's stride \(CIFARResNet.ratio) expected, found \(recipe.images.size)")
    }
}
