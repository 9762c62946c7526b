extension Recipe {
    /// Boxes overwritten in the normalised image, last of all.
    public struct RandomErasing: RecipeSection {
        public enum Mode: String, CaseIterable, Decodable, Sendable {
            case pixel, rand, const
        }

        public let probability: Double
        public let scale, ratio: [Double]
        public let mode: Mode
        public let maxCount: Int

        public static let defaults = [
            "scale": "[0.02, 0.3333333333333333]", "ratio": "[0.3, 3.3333333333333335]", "max_count": "1",
        ]
        public static let meanings = [
            "probability": "Share of the images with a box erased, 0 to 1.",
            "scale": "Smallest and largest share of the image's area, above 0 to 1; torchvision: 0.02 to 0.33.",
            "ratio": "Smallest and largest height over width; torchvision: 0.3 to 3.3.",
            "mode": "pixel: normal noise; rand: one normal value a channel; const: zero.",
            "max_count": "Most boxes of an image; they share the area.",
        ]

        public func check(_ here: Here) {
            here.requireProbability(["probability": probability])
            here.requirePositive(["max_count": maxCount])
            here.requireRange(scale, at: "scale", upTo: 1)
            here.requireRange(ratio, at: "ratio")
        }
    }
}
