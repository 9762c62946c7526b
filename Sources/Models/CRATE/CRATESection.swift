public import Recipes

/// The model section of a recipe with `kind: crate`, the classifier: a named size, or width, depth and heads.
public struct CRATESection: EncoderSection {
    public static let kind = "crate"

    private let preset: CRATESizes.Preset?
    private let width, depth, heads, headWidth: Int?
    private let patch: Int
    private let stepSize, lambda: Double
    private let pooling: TokenPooling

    public var encoder: any EncoderSettings { settings }

    var settings: CRATE.Settings {
        var settings = CRATE.Settings(
            CRATESizes(preset, width: width, depth: depth, heads: heads, headWidth: headWidth), patch: patch)
        (settings.step, settings.threshold, settings.pooling) = (stepSize, lambda, pooling)
        return settings
    }

    public static let defaults = ["step_size": "0.1"]
    public static let meanings = CRATESizes.meanings.merging(
        ["head_width": "Channels of a subspace; without it width/heads."]) { first, _ in first }

    public func check(_ here: Here) {
        here.require(
            preset: preset, or: ["width": width, "depth": depth, "heads": heads, "head_width": headWidth],
            optional: ["head_width"])
        here.requirePositive(["width": width, "depth": depth, "heads": heads, "head_width": headWidth])
        CRATESizes.check(patch: patch, lambda: lambda, stepSize: stepSize, here)
    }

    public static func check(_ section: CRATESection, _ recipe: Recipe, _ here: Here) {
        CRATESizes.check(patch: section.patch, recipe, here)
    }
}

/// The model section of a recipe with `kind: crate_mae`, the encoder of the masked auto-encoder.
public struct MaskedCRATESection: EncoderSection {
    public static let kind = "crate_mae"

    private let preset: CRATESizes.Preset?
    private let width, depth, heads: Int?
    private let patch: Int
    private let stepSize, lambda: Double
    private let pooling: TokenPooling

    public var encoder: any EncoderSettings { settings }

    var settings: MaskedCRATE.Settings {
        var settings = MaskedCRATE.Settings(
            CRATESizes(preset, width: width, depth: depth, heads: heads), patch: patch)
        (settings.step, settings.threshold, settings.pooling) = (stepSize, lambda, pooling)
        return settings
    }

    public static let defaults = ["step_size": "0.1", "pooling": "class_token"]
    public static let meanings = CRATESizes.meanings

    public func check(_ here: Here) {
        here.require(preset: preset, or: ["width": width, "depth": depth, "heads": heads])
        here.requirePositive(["width": width, "depth": depth, "heads": heads])
        CRATESizes.check(patch: patch, lambda: lambda, stepSize: stepSize, here)
        if let width { here.require(width % 4 == 0, at: "width", "a multiple of 4 expected, found \(width)") }
    }

    public static func check(_ section: MaskedCRATESection, _ recipe: Recipe, _ here: Here) {
        CRATESizes.check(patch: section.patch, recipe, here)
    }
}
