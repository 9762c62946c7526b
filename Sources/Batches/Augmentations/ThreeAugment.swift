public import Kernels
public import Recipes

/// One of grey, solarized and blurred, each as often as the others. Source: DeiT III, arXiv 2204.07118; colour jitter
/// of 0.3 follows it there.
public struct ThreeAugment: ImagePolicy, Equatable {
    public static let kind = "three_augment"

    /// No keys.
    public struct Settings: RecipeSection {}

    public init() {}
    public init(_ settings: Settings) {}

    public func apply(_ image: inout Image, _ random: inout RandomStream) {
        switch random.below(3) {
        case 0: image.apply(.grayscale)
        case 1: image.apply(.solarize(threshold: 128))
        default: image.apply(.blur(std: random.uniform(0.1...2)))
        }
    }
}
