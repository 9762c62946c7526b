public import Recipes

/// The model section of a recipe with `kind: resnet`: a published depth, or an own shape.
public struct ResNetSection: EncoderSection {
    public static let kind = "resnet"

    private let preset: ResNet.Size?
    private let block: ResNet.Block?
    private let layers, channels: [Int]?
    private let stem: ResNet.Stem?
    private let stemWidth: Int?
    private let dropPathRate: Double

    public static let meanings = [
        "preset": ResNet.Size.allCases.map { $0.rawValue }.joined(separator: ", ")
            + "; small16 is a net of stride 16 for small images.",
        "block": "basic: two 3x3 convolutions; bottleneck: 1x1, 3x3, 1x1. With the next four instead of a preset.",
        "layers": "Blocks of each stage.",
        "channels": "Channels of each stage; a bottleneck puts out four times as many.",
        "stem": "pooled: 7x7 with stride 2 and maximum pooling; small: 3x3 with stride 2.",
        "stem_width": "Channels of the first convolution.",
        "drop_path_rate": "Drop rate of the last block, 0 to below 1; earlier blocks rise to it linearly.",
    ]

    public var settings: ResNet.Settings {
        var settings =
            preset.map { ResNet.Settings($0) }
            ?? ResNet.Settings(
                block ?? .basic, layers: layers ?? [], channels: channels ?? [], stem: stem ?? .pooled,
                stemWidth: stemWidth ?? 0)
        settings.dropPathRate = dropPathRate
        return settings
    }

    public var encoder: any EncoderSettings { settings }

    public func check(_ here: Here) {
        here.require(
            preset: preset,
            or: ["block": block, "layers": layers, "channels": channels, "stem": stem, "stem_width": stemWidth])
        if let layers, let channels {
            here.require(
                !layers.isEmpty && layers.count == channels.count && (layers + channels).allSatisfy { $0 > 0 },
                at: "channels", reading: ["layers"],
                "as many as layers, each at least 1, expected, found \(channels) for \(layers)")
        }
        here.requirePositive(["stem_width": stemWidth])
        here.require((0..<1).contains(dropPathRate), at: "drop_path_rate", "0 to below 1 expected, found \(dropPathRate)")
    }

    /// Rules with the image.
    public static func check(_ section: ResNetSection, _ recipe: Recipe, _ here: Here) {
        let ratio = section.settings.ratio
        here.recipe.require(
            recipe.images.size % ratio == 0, at: "images.size", reading: ["model"],
            "a multiple of the network's stride \(ratio) expected, found \(recipe.images.size)")
    }
}

extension ResNet.Block: Decodable {}

extension ResNet.Stem: Decodable {}
