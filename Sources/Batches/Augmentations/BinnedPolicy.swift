import Glibc
public import Kernels

/// The fourteen operations of torchvision's policies, whose strength is one of 31 bins.
/// Source: torchvision 0.14, `autoaugment`; its geometric operations move the image the other way than timm's.
public enum BinnedOperation: String, CaseIterable, Sendable {
    case identity = "Identity"
    case shearX = "ShearX"
    case shearY = "ShearY"
    case translateX = "TranslateX"
    case translateY = "TranslateY"
    case rotate = "Rotate"
    case brightness = "Brightness"
    case color = "Color"
    case contrast = "Contrast"
    case sharpness = "Sharpness"
    case posterize = "Posterize"
    case solarize = "Solarize"
    case autoContrast = "AutoContrast"
    case equalize = "Equalize"

    public static let bins = 31

    /// Whether the magnitude's sign is drawn.
    public var isSigned: Bool {
        switch self {
        case .shearX, .shearY, .translateX, .translateY, .rotate, .brightness, .color, .contrast, .sharpness: true
        case .identity, .posterize, .solarize, .autoContrast, .equalize: false
        }
    }

    /// The range of strengths: TrivialAugment's wide one, or RandAugment's.
    public enum Strength: Sendable { case wide, moderate }

    /// The strength that a bin means; 0 for an operation without strength.
    /// - Parameter height: of the image, with `width` the unit of RandAugment's translations.
    public func magnitude(bin: Int, _ strength: Strength, height: Int, width: Int) -> Double {
        let isWide = strength == .wide
        func line(_ first: Float, _ last: Float) -> Double { Double(Self.evenly(from: first, to: last, bin)) }
        switch self {
        case .identity, .autoContrast, .equalize: return 0
        case .shearX, .shearY: return line(0, isWide ? 0.99 : 0.3)
        case .translateX: return line(0, isWide ? 32 : Float(150.0 / 331 * Double(width)))
        case .translateY: return line(0, isWide ? 32 : Float(150.0 / 331 * Double(height)))
        case .rotate: return line(0, isWide ? 135 : 30)
        case .brightness, .color, .contrast, .sharpness: return line(0, isWide ? 0.99 : 0.9)
        case .posterize: return Double(8 - (Float(bin) / (30 / (isWide ? 6 : 4))).rounded(.toNearestOrEven))
        case .solarize: return line(255, 0)
        }
    }

    /// Point `index` of 31 from `first` to `last`, counted from the nearer end by a step in Float; the sum is rounded
    /// once, as the reference's fused multiply-add does it.
    private static func evenly(from first: Float, to last: Float, _ index: Int) -> Float {
        let step = Double((last - first) / Float(bins - 1))
        return Float(
            index < bins / 2 ? Double(first) + step * Double(index) : Double(last) - step * Double(bins - 1 - index))
    }

    /// The operation of a magnitude with its sign.
    public func of(magnitude: Double) -> ImageOperation {
        // Shears go through degrees in the reference, which shows in the last bits.
        var angle: Double { atan(magnitude) * (180 / Double.pi) * (Double.pi / 180) }
        switch self {
        case .identity: return .identity
        case .shearX: return .shear(x: tan(angle), y: 0)
        case .shearY: return .shear(x: 0, y: sin(angle) / cos(angle))
        case .translateX: return .translate(x: -magnitude.rounded(.towardZero), y: 0)
        case .translateY: return .translate(x: 0, y: -magnitude.rounded(.towardZero))
        case .rotate: return .rotate(degrees: magnitude)
        case .brightness: return .brightness(1 + magnitude)
        case .color: return .color(1 + magnitude)
        case .contrast: return .contrast(1 + magnitude)
        case .sharpness: return .sharpness(1 + magnitude)
        case .posterize: return .posterize(bits: Int(magnitude))
        case .solarize: return .solarize(threshold: magnitude)
        case .autoContrast: return .autoContrast
        case .equalize: return .equalize
        }
    }
}

/// torchvision's RandAugment (some operations, all of one bin) and TrivialAugmentWide (one operation of any bin,
/// arXiv 2103.10158).
public struct BinnedPolicy: Augmentation, Equatable {
    public let strength: BinnedOperation.Strength
    /// Operations of an image, drawn with replacement.
    public let operations: Int
    /// The bin of all operations, 0..<31; nil: each draws its own.
    public let bin: Int?
    public let style: WarpStyle

    public static func trivialAugmentWide(_ style: WarpStyle) -> BinnedPolicy {
        BinnedPolicy(strength: .wide, operations: 1, bin: nil, style: style)
    }

    public static func randAugment(operations: Int, bin: Int, _ style: WarpStyle) -> BinnedPolicy {
        precondition(operations >= 0 && (0..<BinnedOperation.bins).contains(bin), "a bin of the 31")
        return BinnedPolicy(strength: .moderate, operations: operations, bin: bin, style: style)
    }

    public var purpose: Purpose? { .policy }

    public func apply(_ image: inout Image, _ random: inout RandomStream) {
        for _ in 0..<operations {
            let operation = BinnedOperation.allCases[random.below(BinnedOperation.allCases.count)]
            let bin = bin ?? random.below(BinnedOperation.bins)
            let magnitude = operation.magnitude(bin: bin, strength, height: image.height, width: image.width)
            let isNegative = operation.isSigned && random.below(2) == 1
            image.apply(
                operation.of(magnitude: isNegative ? -magnitude : magnitude), style.draw(&random), fill: style.fill)
        }
    }
}
