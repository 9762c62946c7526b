/// The fifteen operations of timm's RandAugment, and what its levels mean. Source: timm 0.4.12, `auto_augment`.
public enum TimmOperation: String, CaseIterable, Sendable {
    case autoContrast = "AutoContrast"
    case equalize = "Equalize"
    case invert = "Invert"
    case rotate = "Rotate"
    case posterize = "Posterize"
    case solarize = "Solarize"
    case solarizeAdd = "SolarizeAdd"
    case color = "Color"
    case contrast = "Contrast"
    case brightness = "Brightness"
    case sharpness = "Sharpness"
    case shearX = "ShearX"
    case shearY = "ShearY"
    case translateX = "TranslateXRel"
    case translateY = "TranslateYRel"

    /// Whether the argument's sign is drawn.
    public func isSigned(increasing: Bool) -> Bool {
        switch self {
        case .rotate, .shearX, .shearY, .translateX, .translateY: true
        case .color, .contrast, .brightness, .sharpness: increasing
        case .autoContrast, .equalize, .invert, .posterize, .solarize, .solarizeAdd: false
        }
    }

    /// The operation at a level.
    /// - Parameters:
    ///   - level: 0...10, more only where a policy allows it.
    ///   - increasing: in the increasing set a higher level always changes an image more.
    ///   - isNegative: the drawn sign, for a signed operation.
    ///   - height: of the image, with `width` the unit of translations.
    public func at(
        level: Double, increasing: Bool, isNegative: Bool, height: Int, width: Int
    ) -> ImageOperation {
        let share = level / 10
        func signed(_ value: Double) -> Double { isNegative ? -value : value }
        // Newer versions keep a factor above 0 where levels beyond 10 would make it negative.
        var factor: Double {
            guard increasing else { return share * 1.8 + 0.1 }
            let value = 1 + signed(share * 0.9)
            return share > 1 ? max(0.1, value) : value
        }
        switch self {
        case .autoContrast: return .autoContrast
        case .equalize: return .equalize
        case .invert: return .invert
        case .rotate: return .rotate(degrees: signed(share * 30))
        case .posterize: return .posterize(bits: increasing ? max(0, 4 - Int(share * 4)) : Int(share * 4))
        case .solarize:
            let value = min(256, Int(share * 256))
            return .solarize(threshold: Double(increasing ? 256 - value : value))
        case .solarizeAdd: return .solarizeAdd(min(128, Int(share * 110)))
        case .color: return .color(factor)
        case .contrast: return .contrast(factor)
        case .brightness: return .brightness(factor)
        case .sharpness: return .sharpness(factor)
        case .shearX: return .shear(x: signed(share * 0.3), y: 0)
        case .shearY: return .shear(x: 0, y: signed(share * 0.3))
        case .translateX: return .translate(x: signed(share * 0.45) * Double(width), y: 0)
        case .translateY: return .translate(x: 0, y: signed(share * 0.45) * Double(height))
        }
    }
}
