public import Recipes

/// The model section of a recipe with `kind: convnext`: a published size, or depths and widths.
public struct ConvNeXtSection: EncoderSection {
    public static let kind = "convnext"

    private let preset: ConvNeXt.Size?
    private let depths, widths: [Int]?
    private let dropPathRate: Double

    public static let meanings = [
        "preset": ConvNeXt.Size.allCases.map { $0.rawValue }.joined(separator: ", ") + ".",
        "depths": "Blocks of each stage; with widths instead of a preset.",
        "widths": "Channels of each stage.",
        "drop_path_rate": "Drop rate of the last block, 0 to below 1; earlier blocks rise to it linearly.",
    ]

    public var settings: ConvNeXt.Settings {
        var settings =
            preset.map { ConvNeXt.Settings($0) } ?? ConvNeXt.Settings(depths: depths ?? [], widths: widths ?? [])
        settings.dropPathRate = dropPathRate
        return settings
    }

    public var encoder: any EncoderSettings { settings }

    public func check(_ here: Here) {
        here.require(preset: preset, or: ["depths": depths, "widths": widths])
        if let depths, let widths {
            here.require(
                !depths.isEmpty && depths.count == widths.count && (depths + widths).allSatisfy { $0 > 0 },
                at: "widths", reading: ["depths"],
                "as many as depths, each at least 1, expected, found \(widths) for \(depths)")
        }
        here.require((0..<1).contains(dropPathRate), at: "drop_path_rate", "0 to below 1 expected, found \(dropPathRate)")
    }

    /// Rules with the image.
    public static func check(_ section: ConvNeXtSection, _ recipe: Recipe, _ here: Here) {
        let ratio = section.settings.ratio
        here.recipe.require(
            recipe.images.size % ratio == 0, at: "images.size", reading: ["model"],
            "a multiple of the network's stride \(ratio) expected, found \(recipe.images.size)")
    }
}
