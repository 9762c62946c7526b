extension Recipe {
    /// Boxes overwritten in the normalised image, last of all.
    public struct Erase: RecipeSection {
        public enum Mode: String, CaseIterable, Decodable, Sendable {
            case pixel, rand, const
        }

        public let probability: Double
        public let minimumArea, maximumArea: Double
        public let minimumRatio, maximumRatio: Double
        public let mode: Mode
        public let maximumCount: Int

        public static let defaults = [
            "minimum_area": "0.02", "maximum_area": "0.3333333333333333", "minimum_ratio": "0.3",
            "maximum_ratio": "3.3333333333333335", "maximum_count": "1",
        ]
        public static let meanings = [
            "probability": "Share of the images with a box erased, 0 to 1.",
            "minimum_area": "Smallest share of the image's area, above 0 to 1.",
            "maximum_area": "Largest share of the image's area, above 0 to 1; torchvision: 0.33.",
            "minimum_ratio": "Smallest height over width.",
            "maximum_ratio": "Largest height over width; torchvision: 3.3.",
            "mode": "pixel: normal noise; rand: one normal value a channel; const: zero.",
            "maximum_count": "Most boxes of an image; they share the area.",
        ]

        public func check(_ here: Here) {
            here.requireProbability(["probability": probability])
            here.requirePositive(["maximum_count": maximumCount])
            here.requireBox(
                minimumArea: minimumArea, maximumArea: maximumArea, minimumRatio: minimumRatio,
                maximumRatio: maximumRatio)
        }
    }
}
