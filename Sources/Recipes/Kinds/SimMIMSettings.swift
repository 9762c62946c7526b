/// Settings of SimMIM: cells of the picture are hidden, their pixels are predicted. Source: arXiv 2111.09886.
public struct SimMIMSettings: RecipeSection {
    public let maskRatio: Double
    public let maskPatch: Int

    public static let meanings = [
        "mask_ratio": "Share of the cells that are hidden, above 0 to below 1.",
        "mask_patch": "Side of a cell, pixels: a multiple of the model's patch that divides the picture.",
    ]

    public func check(_ here: Here) {
        here.require(maskRatio > 0 && maskRatio < 1, at: "mask_ratio", "between 0 and 1 expected, found \(maskRatio)")
        here.require(maskPatch >= 1, at: "mask_patch", "at least 1 pixel expected, found \(maskPatch)")
    }

    /// Rules with the picture and the model.
    public static func check(_ settings: SimMIMSettings, _ recipe: Recipe, _ here: Here) {
        let size = recipe.images.size
        let all = here.recipe
        all.require(
            size % settings.maskPatch == 0, at: "objective.mask_patch", reading: ["images.size"],
            "\(settings.maskPatch) does not divide images.size \(size)")
        if let patch = recipe.model.integer("patch") {
            all.require(
                settings.maskPatch % patch == 0, at: "objective.mask_patch", reading: ["model.patch"],
                "\(settings.maskPatch) is no multiple of model.patch \(patch)")
        }
        // ceil(cells * ratio) cells are hidden: all of them would leave nothing to see.
        func cells() -> Double { Double((size / settings.maskPatch) * (size / settings.maskPatch)) }
        all.require(
            cells() == 0 || (cells() * settings.maskRatio).rounded(.up) < cells(), at: "objective.mask_ratio",
            reading: ["objective.mask_patch", "images.size"],
            "\(settings.maskRatio) hides all \(Int(cells())) cells of the picture")
    }
}
