public import Kernels
public import Recipes

/// Brightness, contrast and saturation changed by random factors in random order. Source: torchvision, `ColorJitter`
/// with one strength, which leaves the hue.
public struct ColorJitter: Augmentation, ImageAugmentation, Equatable {
    public static let key = "images.color_jitter"
    public static let meaning = "Brightness, contrast and saturation change by factors of up to 1 ± this; absent: not."

    public static func check(_ strength: Double, _ recipe: Recipe, _ here: Here) {
        here.require(strength > 0, at: "color_jitter", "more than 0 expected, found \(strength)")
        // The references leave the jitter out without a word when a policy is on.
        let policy = recipe.settings(of: Policy.self)
        here.require(
            policy == nil || policy?.kind == ThreeAugment.kind, at: "color_jitter", reading: ["policy"],
            "a policy changes the colours already; only three_augment goes with color_jitter")
    }

    public static func join(_ transform: inout ImageTransform, _ strength: Double, _ recipe: Recipe) {
        transform.steps.append(ColorJitter(strength: strength))
    }

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
