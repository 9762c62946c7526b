public import Recipes

/// The model section of a recipe with `kind: swin`: a named size, or embed_dim, depths and num_heads.
public struct SwinTransformerSection: EncoderSection {
    public static let kind = "swin"

    private let preset: SwinTransformer.Size?
    private let embedDim: Int?
    private let depths, numHeads: [Int]?
    private let patchSize, windowSize: Int
    private let dropPathRate: Double
    private let useAbsPosEmb: Bool

    public var encoder: any EncoderSettings { settings }

    public var settings: SwinTransformer.Settings {
        var settings = SwinTransformer.Settings(
            width: preset?.width ?? embedDim ?? 0, depths: preset?.depths ?? depths ?? [],
            heads: preset?.heads ?? numHeads ?? [], patch: patchSize, window: windowSize)
        settings.dropPathRate = dropPathRate
        settings.usesAbsolutePositions = useAbsPosEmb
        return settings
    }

    public static let meanings = [
        "preset": SwinTransformer.Size.allCases.map { size in
            let list = { (numbers: [Int]) in numbers.map(String.init).joined(separator: ",") }
            return "\(size) \(size.width)/\(list(size.depths))/\(list(size.heads))"
        }.joined(separator: "; ") + " (embed_dim/depths/num_heads).",
        "embed_dim": "Channels of a token in the first stage; with depths and num_heads instead of a preset.",
        "depths": "Blocks of each stage; each halves the grid of the one before and doubles its channels.",
        "num_heads": "Attention heads of each stage.",
        "patch_size": "Side of a token's patch, pixels.",
        "window_size": "Side of a window, tokens; a smaller grid is one window.",
        "drop_path_rate": "Drop rate of the last block, 0 to below 1; earlier blocks rise to it linearly.",
        "use_abs_pos_emb": "A learned vector for each position of the first grid.",
    ]

    public func check(_ here: Here) {
        here.require(preset: preset, or: ["embed_dim": embedDim, "depths": depths, "num_heads": numHeads])
        here.requirePositive(["embed_dim": embedDim])
        for case let (key, numbers?) in [("depths", depths), ("num_heads", numHeads)] {
            here.require(
                !numbers.isEmpty && numbers.allSatisfy { $0 >= 1 }, at: key,
                "numbers of at least 1 expected, found \(numbers)")
        }
        if let embedDim, let depths, let numHeads {
            here.require(
                depths.count == numHeads.count, at: "num_heads", reading: ["depths"],
                "\(numHeads.count) stages, depths has \(depths.count)")
            for (stage, heads) in numHeads.enumerated() where heads >= 1 && stage < 32 {
                here.require(
                    (embedDim << stage) % heads == 0, at: "num_heads", reading: ["embed_dim"],
                    "\(heads) heads do not divide the \(embedDim << stage) channels of stage \(stage)")
            }
        }
        here.require(patchSize >= 1, at: "patch_size", "at least 1 pixel expected, found \(patchSize)")
        here.require(windowSize >= 1, at: "window_size", "at least 1 token expected, found \(windowSize)")
        here.require(
            (0..<1).contains(dropPathRate), at: "drop_path_rate", "0 to below 1 expected, found \(dropPathRate)")
    }

    /// Rules with the image: every grid is halved and cut into windows evenly.
    public static func check(_ section: SwinTransformerSection, _ recipe: Recipe, _ here: Here) {
        let (size, patch, window) = (recipe.images.size, section.patchSize, section.windowSize)
        let all = here.recipe
        all.require(
            patch >= 1 && size % patch == 0, at: "model.patch_size", reading: ["images.size"],
            "\(patch) does not divide images.size \(size)")
        guard patch >= 1, window >= 1, size % patch == 0 else { return }
        for stage in section.settings.depths.indices where stage < 32 {
            let (side, halvings) = (size / patch, 1 << stage)
            all.require(
                side % halvings == 0, at: "model.patch_size", reading: ["images.size", "model.depths", "model.preset"],
                "a grid of \(side) tokens cannot be halved \(stage) times; change images.size or the patch")
            guard side % halvings == 0 else { return }
            let grid = side / halvings
            all.require(
                grid % min(window, grid) == 0, at: "model.window_size", reading: ["images.size", "model.patch_size"],
                "\(window) does not divide the \(grid) tokens along a side of stage \(stage)")
        }
    }
}
