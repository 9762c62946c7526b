public import Recipes

/// The model section of a recipe with `kind: swin`: a named size, or width, depths and heads.
public struct SwinTransformerSection: EncoderSection {
    public static let kind = "swin"

    private let preset: SwinTransformer.Size?
    private let ownWidth: Int?
    private let ownDepths, ownHeads: [Int]?
    private let patch, window: Int
    private let dropPath: Double
    private let absolutePositions: Bool

    private enum CodingKeys: String, CodingKey {
        case preset
        case ownWidth = "width"
        case ownDepths = "depths"
        case ownHeads = "heads"
        case patch, window, dropPath, absolutePositions
    }

    public var encoder: any EncoderSettings { settings }

    public var settings: SwinTransformer.Settings {
        var settings = SwinTransformer.Settings(
            width: preset?.width ?? ownWidth ?? 0, depths: preset?.depths ?? ownDepths ?? [],
            heads: preset?.heads ?? ownHeads ?? [], patch: patch, window: window)
        settings.dropPathRate = dropPath
        settings.usesAbsolutePositions = absolutePositions
        return settings
    }

    public static let meanings = [
        "preset": SwinTransformer.Size.allCases.map { size in
            let list = { (numbers: [Int]) in numbers.map(String.init).joined(separator: ",") }
            return "\(size) \(size.width)/\(list(size.depths))/\(list(size.heads))"
        }.joined(separator: "; ") + " (width/depths/heads).",
        "width": "Channels of a token in the first stage; with depths and heads instead of a preset.",
        "depths": "Blocks of each stage; each halves the grid of the one before and doubles its channels.",
        "heads": "Attention heads of each stage.",
        "patch": "Side of a token's patch, pixels.",
        "window": "Side of a window, tokens; a smaller grid is one window.",
        "drop_path": "Drop rate of the last block, 0 to below 1; earlier blocks rise to it linearly.",
        "absolute_positions": "A learned vector for each position of the first grid.",
    ]

    public func check(_ here: Here) {
        here.require(preset: preset, or: ["width": ownWidth, "depths": ownDepths, "heads": ownHeads])
        here.requirePositive(["width": ownWidth])
        for case let (key, numbers?) in [("depths", ownDepths), ("heads", ownHeads)] {
            here.require(
                !numbers.isEmpty && numbers.allSatisfy { $0 >= 1 }, at: key,
                "numbers of at least 1 expected, found \(numbers)")
        }
        if let ownWidth, let ownDepths, let ownHeads {
            here.require(
                ownDepths.count == ownHeads.count, at: "heads", reading: ["depths"],
                "\(ownHeads.count) stages, depths has \(ownDepths.count)")
            for (stage, heads) in ownHeads.enumerated() where heads >= 1 && stage < 32 {
                here.require(
                    (ownWidth << stage) % heads == 0, at: "heads", reading: ["width"],
                    "\(heads) heads do not divide the \(ownWidth << stage) channels of stage \(stage)")
            }
        }
        here.require(patch >= 1, at: "patch", "at least 1 pixel expected, found \(patch)")
        here.require(window >= 1, at: "window", "at least 1 token expected, found \(window)")
        here.require((0..<1).contains(dropPath), at: "drop_path", "0 to below 1 expected, found \(dropPath)")
    }

    /// Rules with the image: every grid is halved and cut into windows evenly.
    public static func check(_ section: SwinTransformerSection, _ recipe: Recipe, _ here: Here) {
        let (size, patch, window) = (recipe.images.size, section.patch, section.window)
        let all = here.recipe
        all.require(
            patch >= 1 && size % patch == 0, at: "model.patch", reading: ["images.size"],
            "\(patch) does not divide images.size \(size)")
        guard patch >= 1, window >= 1, size % patch == 0 else { return }
        for stage in section.settings.depths.indices where stage < 32 {
            let (side, halvings) = (size / patch, 1 << stage)
            all.require(
                side % halvings == 0, at: "model.patch", reading: ["images.size", "model.depths", "model.preset"],
                "a grid of \(side) tokens cannot be halved \(stage) times; change images.size or the patch")
            guard side % halvings == 0 else { return }
            let grid = side / halvings
            all.require(
                grid % min(window, grid) == 0, at: "model.window", reading: ["images.size", "model.patch"],
                "\(window) does not divide the \(grid) tokens along a side of stage \(stage)")
        }
    }
}
