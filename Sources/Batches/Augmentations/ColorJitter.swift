public import Kernels

/// Brightness, contrast and saturation changed by random factors in random order. Source: torchvision, `ColorJitter`
/// with one strength, which leaves the hue.
public struct ColorJitter: Augmentation, Equatable {
    /// Factors are uniform in 1 - strength (at least 0) to 1 + strength.
    public let strength: Double

    public init(strength: Double) {
        precondition(strength >= 0, "a strength is not negative")
        self.strength = strength
    }

    public var purpose: Purpose? { .colorJitter }

    public func apply(_ image: inout Image, _ random: inout RandomStream) {
        let range = max(0, 1 - strength)...1 + strength
        var operations: [ImageOperation] = [
            .brightness(random.uniform(range)), .contrast(random.uniform(range)), .color(random.uniform(range)),
        ]
        random.shuffle(&operations)
        for operation in operations { image.apply(operation) }
    }
}
