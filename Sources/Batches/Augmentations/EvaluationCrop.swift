public import Recipes

/// The cut of an image for evaluations: nothing is drawn.
public struct EvaluationCrop: RecipePart, Sendable, Equatable {
    public static let key = "images.evaluation"
    public static let meaning =
        "What evaluations see; absent: the short edge resized to the input, and its centre."

    public struct Settings: RecipeSection {
        public let cropPct: Double?
        public let interpolation: Resizing.Filter

        public static let meanings = [
            "crop_pct":
                "Share of the short edge that the centre crop keeps: the edge is resized to size / crop_pct, "
                + "rounded down; absent: the whole image is resized to the input, whatever its aspect.",
            "interpolation": "Filter of the resize.",
        ]

        public func check(_ here: Here) {
            if let cropPct {
                here.require(
                    cropPct > 0.1 && cropPct <= 1, at: "crop_pct", "above 0.1 to 1 expected, found \(cropPct)")
            }
        }
    }

    /// Side of the result, pixels.
    public let size: Int
    /// Share of the short edge that is kept; nil: the whole image, whatever its aspect.
    public let cropPct: Double?
    public let interpolation: Interpolation
    /// Whether a recipe says so.
    private let isGiven: Bool

    /// - Parameter augmentations: those that a recipe can have.
    public init(_ recipe: Recipe, _ augmentations: [any ImageAugmentation.Type]) {
        size = recipe.images.size
        let settings = recipe.settings(of: Self.self)
        isGiven = settings != nil
        cropPct = isGiven ? settings?.cropPct : 1
        interpolation =
            settings?.interpolation.interpolation
            ?? augmentations.lazy.compactMap { $0.resizing(recipe) }.first ?? .bilinear
    }

    /// The steps from a decoded image to the model's size.
    public var steps: [any Augmentation] {
        guard let cropPct else { return [Resizing(.exactly(height: size, width: size), interpolation)] }
        // As timm does it: 256 for 224 at 0.875, 235 at 0.95.
        return [Resizing(.shortEdge(Int(Double(size) / cropPct)), interpolation), CentreCrop(size: size)]
    }

    /// All that the steps depend on.
    fileprivate var text: String {
        guard isGiven else { return "centre, \(interpolation)" }
        return (cropPct.map { "crop ratio \($0)" } ?? "whole") + ", \(interpolation)"
    }
}

extension Recipe {
    /// Nothing drawn: the image that evaluations see.
    /// - Parameter augmentations: those that a recipe can have.
    public func evaluationTransform(_ augmentations: [any ImageAugmentation.Type]) -> ImageTransform {
        ImageTransform(EvaluationCrop(self, augmentations).steps, Normalisation(images.normalize))
    }

    /// All that `evaluationTransform` depends on, as text: part of the key of what is computed from such images and kept.
    public func evaluationCut(_ augmentations: [any ImageAugmentation.Type]) -> String {
        let cut = EvaluationCrop(self, augmentations).text
        return "size \(images.size); \(cut); mean \(images.normalize.mean); std \(images.normalize.std)"
    }
}
