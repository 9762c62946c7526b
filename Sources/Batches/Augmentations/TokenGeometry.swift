public import Kernels
public import Recipes

/// The movements of feature maps between the two halves of TokenAdapt: mirror, then rotation, translations and shears, all
/// drawn once for an update, then a random part of each map, drawn for each sample. Source: code naver-ai/seit.
public struct TokenGeometry: RecipePart, Sendable, Equatable {
    public static let key = "tokens.adapt"
    public static let meaning =
        "Half of each batch goes through TokenAdapt, with movements of its own; absent: none of it."

    /// TokenAdapt: code vectors become features, which are mirrored, turned, moved, cut, mixed, and become ids again.
    public struct Settings: RecipeSection {
        public let path: String
        public let scale: [Double]
        public let headDim: Int
        public let mix: Mixing.Settings?

        public static let defaults = ["head_dim": "64"]
        public static let meanings = [
            "path": "Its weights: a run folder, a step of one or a safetensors file.",
            "scale": "Smallest and largest share of the features' area that is cut out, above 0 to 1.",
            "head_dim": "Channels of a head of its attention, of which the weights say nothing.",
            "mix": "Mixup and CutMix of the features, for classes; absent: none.",
        ]

        public func check(_ here: Here) {
            here.requireRange(scale, at: "scale", upTo: 1)
            here.requirePositive(["head_dim": headDim])
        }
    }

    public static func check(_ settings: Settings, _ recipe: Recipe, _ here: Here) {
        here.require(
            recipe.settings(of: TokenColor.self)?.afterCrop != true, at: "adapt", reading: ["color"],
            "color.after_crop leaves nothing of the stored grid; TokenAdapt reads that")
        if settings.mix != nil { recipe.requireClasses(here, toMixAt: key + ".mix") }
    }

    /// Side of the maps.
    public let side: Int
    /// Share of a map's area that is cut out.
    public let area: ClosedRange<Double>

    public init(side: Int, area: ClosedRange<Double>) { (self.side, self.area) = (side, area) }

    /// One movement of a dense feature map.
    public enum Movement: Sendable, Equatable {
        case mirror
        /// Degrees and positions of the feature map.
        case affine(angle: Double, translation: SIMD2<Double>, shear: SIMD2<Double>)

        /// - Parameter scale: positions of the map to be moved along the side of one of the feature map.
        public func warp(side: Int, scale: Double = 1) -> MapWarp {
            switch self {
            case .mirror: .mirror(side: side)
            case .affine(let angle, let translation, let shear):
                .affine(
                    angle: angle, translation: (translation.x * scale, translation.y * scale),
                    shear: (shear.x, shear.y), side: side)
            }
        }
    }

    /// Mirror, rotation, translations and shears, each or none; those that are drawn, in their order.
    public func movements(_ random: inout RandomStream) -> [Movement] {
        func coin() -> Bool { random.uniform() < 0.5 }
        let start: [Movement] = coin() ? [.mirror] : []
        return coin() ? start + affine(&random) : start
    }

    /// Rotation, translations and shears, each or none.
    public func affine(_ random: inout RandomStream) -> [Movement] {
        func coin() -> Bool { random.uniform() < 0.5 }
        // Drawn whether used or not, so that one coin does not shift the draws of the others.
        let angle = random.uniform(-30...30)
        let shifts = (0..<2).map { _ in (random.uniform(-0.2...0.2) * Double(side)).rounded(.toNearestOrEven) }
        // To one side only, as the reference has it.
        let shears = (0..<2).map { _ in random.uniform(0...15) }
        let all: [Movement] = [
            .affine(angle: angle, translation: .zero, shear: .zero),
            .affine(angle: 0, translation: [shifts[0], 0], shear: .zero),
            .affine(angle: 0, translation: [0, shifts[1]], shear: .zero),
            .affine(angle: 0, translation: .zero, shear: [shears[0], 0]),
            .affine(angle: 0, translation: .zero, shear: [0, shears[1]]),
        ]
        return all.filter { _ in coin() }
    }

    /// A part of one sample's map.
    public func crop(_ random: inout RandomStream) -> MapCrop { .random(side: side, area: area, &random) }
}

extension MapCrop {
    /// The box of a random resized crop of a square map.
    public static func random(side: Int, area: ClosedRange<Double>, _ random: inout RandomStream) -> MapCrop {
        let box = RandomResizedCrop(size: side, area: area, .bicubic)
            .box(height: side, width: side) { random.uniform() }
        return MapCrop(top: box.top, left: box.left, height: box.height, width: box.width)
    }

    /// The middle of a square map, a little above and left of it where the rest is odd.
    public static func centre(_ part: Int, of side: Int) -> MapCrop {
        MapCrop(top: (side - part) / 2, left: (side - part) / 2, height: part, width: part)
    }
}

/// A part of the grid: area and ratio are drawn, the part is resized by cubic interpolation; the ratio lies between 3/4
/// and 4/3.
public enum TokenCrop: RecipePart {
    public static let key = "tokens.crop"
    public static let meaning = "Random resized crop of the code vectors; absent: the middle of the grid."

    public struct Settings: RecipeSection {
        public let scale: [Double]

        public static let meanings = ["scale": "Smallest and largest share of the grid's area, above 0 to 1."]

        public func check(_ here: Here) { here.requireRange(scale, at: "scale", upTo: 1) }
    }
}
