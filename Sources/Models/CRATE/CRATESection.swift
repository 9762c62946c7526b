public import Recipes

/// The model section of a recipe with `kind: crate`, the classifier: a named size, or embed_dim, depth and num_heads.
public struct CRATESection: EncoderSection {
    public static let kind = "crate"

    private let preset: CRATESizes.Preset?
    private let embedDim, depth, numHeads, headDim: Int?
    private let patchSize: Int
    private let stepSize, lambda: Double
    private let globalPool: TokenPooling

    public var encoder: any EncoderSettings { settings }

    var settings: CRATE.Settings {
        var settings = CRATE.Settings(
            CRATESizes(preset, width: embedDim, depth: depth, heads: numHeads, headWidth: headDim), patch: patchSize)
        (settings.step, settings.threshold, settings.pooling) = (stepSize, lambda, globalPool)
        return settings
    }

    public static let defaults = ["step_size": "0.1"]
    public static let meanings = CRATESizes.meanings.merging(
        ["head_dim": "Channels of a subspace; without it embed_dim/num_heads."]) { first, _ in first }

    public func check(_ here: Here) {
        here.require(
            preset: preset, or: ["embed_dim": embedDim, "depth": depth, "num_heads": numHeads, "head_dim": headDim],
            optional: ["head_dim"])
        here.requirePositive(["embed_dim": embedDim, "depth": depth, "num_heads": numHeads, "head_dim": headDim])
        CRATESizes.check(patch: patchSize, lambda: lambda, stepSize: stepSize, here)
    }

    public static func check(_ section: CRATESection, _ recipe: Recipe, _ here: Here) {
        CRATESizes.check(patch: section.patchSize, recipe, here)
    }
}

/// The model section of a recipe with `kind: crate_mae`, the encoder of the masked auto-encoder.
public struct MaskedCRATESection: EncoderSection {
    public static let kind = "crate_mae"

    private let preset: CRATESizes.Preset?
    private let embedDim, depth, numHeads: Int?
    private let patchSize: Int
    private let stepSize, lambda: Double
    private let globalPool: TokenPooling

    public var encoder: any EncoderSettings { settings }

    var settings: MaskedCRATE.Settings {
        var settings = MaskedCRATE.Settings(
            CRATESizes(preset, width: embedDim, depth: depth, heads: numHeads), patch: patchSize)
        (settings.step, settings.threshold, settings.pooling) = (stepSize, lambda, globalPool)
        return settings
    }

    public static let defaults = ["step_size": "0.1", "global_pool": "token"]
    public static let meanings = CRATESizes.meanings

    public func check(_ here: Here) {
        here.require(preset: preset, or: ["embed_dim": embedDim, "depth": depth, "num_heads": numHeads])
        here.requirePositive(["embed_dim": embedDim, "depth": depth, "num_heads": numHeads])
        CRATESizes.check(patch: patchSize, lambda: lambda, stepSize: stepSize, here)
        if let embedDim {
            here.require(embedDim % 4 == 0, at: "embed_dim", "a multiple of 4 expected, found \(embedDim)")
        }
    }

    public static func check(_ section: MaskedCRATESection, _ recipe: Recipe, _ here: Here) {
        CRATESizes.check(patch: section.patchSize, recipe, here)
    }
}
