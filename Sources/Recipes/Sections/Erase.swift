extension Recipe {
    /// Boxes overwritten in the normalised picture, last of all.
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
            "probability": "Share of the pictures with a box erased, 0 to 1.",
            "minimum_area": "Smallest share of the picture's area, above 0 to 1.",
            "maximum_area": "Largest share of the picture's area, above 0 to 1; torchvision: 0.33.",
            "minimum_ratio": "Smallest height over width.",
            "maximum_ratio": "Largest height over width; torchvision: 3.3.",
            "mode": "pixel: normal noise; rand: one normal value a channel; const: zero.",
            "maximum_count": "Most boxes of a picture; they share the area.",
        ]

        public func check(_ here: Here) {
            here.require(
                (0...1).contains(probability), at: "probability",
                "a probability, 0 to 1, expected, found \(probability)")
            here.require(maximumCount >= 1, at: "maximum_count", "at least 1 expected, found \(maximumCount)")
            here.require(minimumArea > 0, at: "minimum_area", "more than 0 expected, found \(minimumArea)")
            here.require(maximumArea <= 1, at: "maximum_area", "at most 1 expected, found \(maximumArea)")
            here.require(
                minimumArea <= maximumArea, at: "minimum_area", reading: ["maximum_area"],
                "\(minimumArea) is more than maximum_area \(maximumArea)")
            here.require(minimumRatio > 0, at: "minimum_ratio", "more than 0 expected, found \(minimumRatio)")
            here.require(
                minimumRatio <= maximumRatio, at: "minimum_ratio", reading: ["maximum_ratio"],
                "\(minimumRatio) is more than maximum_ratio \(maximumRatio)")
        }
    }
}
