import Glibc
public import Kernels
public import Recipes

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

/// torchvision's RandAugment: some operations, drawn with replacement, all of one bin.
public struct TorchvisionRandAugment: ImagePolicy, Equatable {
    public static let kind = "torchvision_rand_augment"

    public struct Settings: RecipeSection {
        let numOps: Int
        let magnitude: Int
        let interpolation: WarpStyle.Filter
        let fill: [Int]

        public static let meanings = WarpStyle.meanings.merging([
            "num_ops": "Operations of an image.",
            "magnitude": "Strength of all operations, 0 to 30.",
        ]) { $1 }

        public func check(_ here: Here) {
            here.requirePositive(["num_ops": numOps])
            here.require((0...30).contains(magnitude), at: "magnitude", "0 to 30 expected, found \(magnitude)")
            WarpStyle.check(fill, here)
        }
    }

    public let operations: Int
    /// The bin of all operations, 0..<31.
    public let bin: Int
    public let style: WarpStyle

    public init(operations: Int, bin: Int, _ style: WarpStyle) {
        precondition(operations >= 0 && (0..<BinnedOperation.bins).contains(bin), "a bin of the 31")
        (self.operations, self.bin, self.style) = (operations, bin, style)
    }

    public init(_ settings: Settings) {
        self.init(
            operations: settings.numOps, bin: settings.magnitude, WarpStyle(settings.interpolation, fill: settings.fill)
        )
    }

    public func apply(_ image: inout Image, _ random: inout RandomStream) {
        for _ in 0..<operations { image.applyBinned(.moderate, style, &random) { _ in bin } }
    }
}

/// TrivialAugment with the wide range: one operation of any bin. Source: arXiv 2103.10158 in torchvision's form.
public struct TrivialAugment: ImagePolicy, Equatable {
    public static let kind = "trivial_augment"

    public let style: WarpStyle

    public init(_ style: WarpStyle) { self.style = style }
    public init(_ settings: WarpSettings) { self.init(settings.style) }

    public func apply(_ image: inout Image, _ random: inout RandomStream) {
        image.applyBinned(.wide, style, &random) { $0.below(BinnedOperation.bins) }
    }
}

extension Image {
    /// One random operation.
    fileprivate mutating func applyBinned(
        _ strength: BinnedOperation.Strength, _ style: WarpStyle, _ random: inout RandomStream,
        bin: (inout RandomStream) -> Int
    ) {
        let operation = BinnedOperation.allCases[random.below(BinnedOperation.allCases.count)]
        let magnitude = operation.magnitude(bin: bin(&random), strength, height: height, width: width)
        let isNegative = operation.isSigned && random.below(2) == 1
        apply(operation.of(magnitude: isNegative ? -magnitude : magnitude), style.draw(&random), fill: style.fill)
    }
}
