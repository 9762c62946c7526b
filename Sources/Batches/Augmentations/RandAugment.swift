public import Kernels

/// A few random operations, each at about the same level. Source: arXiv 1909.13719 in timm's form, which skips half of
/// the operations and may vary the level.
public struct RandAugment: Augmentation, Equatable {
    /// Mean level of an operation.
    public var magnitude = 10.0
    /// Operations of an image, drawn with replacement.
    public var operations = 2
    /// Deviation of the level; infinite: uniform in 0...`magnitude`.
    public var std = 0.0
    /// The highest level.
    public var limit = 10.0
    /// Probability that an operation is done at all, 0...1.
    public var probability = 0.5
    /// The set in which a higher level always changes an image more.
    public var increasing = false
    public let style: WarpStyle

    public init(_ style: WarpStyle) { self.style = style }

    public var purpose: Purpose? { .policy }

    public func apply(_ image: inout Image, _ random: inout RandomStream) {
        for _ in 0..<operations {
            let operation = TimmOperation.allCases[random.below(TimmOperation.allCases.count)]
            guard random.uniform() < probability else { continue }
            let isNegative = operation.isSigned(increasing: increasing) && random.below(2) == 1
            let drawn = operation.at(
                level: level(&random), increasing: increasing, isNegative: isNegative, height: image.height,
                width: image.width)
            image.apply(drawn, style.draw(&random), fill: style.fill)
        }
    }

    /// The level of one operation.
    func level(_ random: inout RandomStream) -> Double {
        if std.isInfinite { return min(random.uniform() * magnitude, limit) }
        return min(max(std > 0 ? magnitude + std * random.normal() : magnitude, 0), limit)
    }
}
