public import Kernels

/// One of 25 pairs of operations that were found by search. Source: arXiv 1805.09501, policy `v0` of timm 0.4.12.
public struct AutoAugment: ImagePolicy, Equatable {
    public static let kind = "auto_augment"

    /// An operation of a pair: how often it is done and at which level.
    public struct Step: Equatable, Sendable {
        public let operation: TimmOperation
        public let probability: Double
        public let level: Double

        init(_ operation: TimmOperation, _ probability: Double, _ level: Double) {
            (self.operation, self.probability, self.level) = (operation, probability, level)
        }
    }

    public let style: WarpStyle

    public init(_ style: WarpStyle) { self.style = style }
    public init(_ settings: WarpSettings) { self.init(settings.style) }

    public func apply(_ image: inout Image, _ random: inout RandomStream) {
        let (first, second) = Self.pairs[random.below(Self.pairs.count)]
        for step in [first, second] {
            guard random.uniform() < step.probability else { continue }
            let isNegative = step.operation.isSigned(increasing: false) && random.below(2) == 1
            let operation = step.operation.at(
                level: step.level, increasing: false, isNegative: isNegative, height: image.height, width: image.width)
            image.apply(operation, style.draw(&random), fill: style.fill)
        }
    }

    public static let pairs: [(Step, Step)] = [
        (Step(.equalize, 0.8, 1), Step(.shearY, 0.8, 4)),
        (Step(.color, 0.4, 9), Step(.equalize, 0.6, 3)),
        (Step(.color, 0.4, 1), Step(.rotate, 0.6, 8)),
        (Step(.solarize, 0.8, 3), Step(.equalize, 0.4, 7)),
        (Step(.solarize, 0.4, 2), Step(.solarize, 0.6, 2)),
        (Step(.color, 0.2, 0), Step(.equalize, 0.8, 8)),
        (Step(.equalize, 0.4, 8), Step(.solarizeAdd, 0.8, 3)),
        (Step(.shearX, 0.2, 9), Step(.rotate, 0.6, 8)),
        (Step(.color, 0.6, 1), Step(.equalize, 1, 2)),
        (Step(.invert, 0.4, 9), Step(.rotate, 0.6, 0)),
        (Step(.equalize, 1, 9), Step(.shearY, 0.6, 3)),
        (Step(.color, 0.4, 7), Step(.equalize, 0.6, 0)),
        (Step(.posterize, 0.4, 6), Step(.autoContrast, 0.4, 7)),
        (Step(.solarize, 0.6, 8), Step(.color, 0.6, 9)),
        (Step(.solarize, 0.2, 4), Step(.rotate, 0.8, 9)),
        (Step(.rotate, 1, 7), Step(.translateY, 0.8, 9)),
        (Step(.shearX, 0, 0), Step(.solarize, 0.8, 4)),
        (Step(.shearY, 0.8, 0), Step(.color, 0.6, 4)),
        (Step(.color, 1, 0), Step(.rotate, 0.6, 2)),
        (Step(.equalize, 0.8, 4), Step(.equalize, 0, 8)),
        (Step(.equalize, 1, 4), Step(.autoContrast, 0.6, 2)),
        (Step(.shearY, 0.4, 7), Step(.solarizeAdd, 0.6, 7)),
        (Step(.posterize, 0.8, 2), Step(.solarize, 0.6, 10)),
        (Step(.solarize, 0.6, 8), Step(.equalize, 0.6, 1)),
        (Step(.color, 0.8, 6), Step(.rotate, 0.4, 5)),
    ]
}
