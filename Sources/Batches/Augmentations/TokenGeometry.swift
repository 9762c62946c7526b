public import Kernels

/// The movements of feature maps between the two halves of TokenAdapt: mirror, then rotation, translations and shears, all
/// drawn once for an update, then a random part of each map, drawn for each sample. Source: code naver-ai/seit.
public struct TokenGeometry: Sendable, Equatable {
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
