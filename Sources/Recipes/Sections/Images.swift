extension Recipe {
    /// How a picture becomes the model's input.
    public struct Images: RecipeSection {
        public let size: Int
        public let crop: Crop?
        public let flip: Double?
        public let normalize: Normalize

        public static let meanings = [
            "size": "Height and width of the model's input, pixels.",
            "crop": "Random resized crop; absent: the whole picture is resized.",
            "flip": "Probability that a picture is mirrored left to right, 0 to 1; absent: never.",
            "normalize": "Mean and standard deviation taken out of each colour channel.",
        ]

        public func check(_ here: Here) {
            here.require((1...4096).contains(size), at: "size", "1 to 4096 pixels expected, found \(size)")
            if let flip {
                here.require((0...1).contains(flip), at: "flip", "a probability, 0 to 1, expected, found \(flip)")
            }
        }
    }

    /// Random resized crop: area and ratio are drawn, the box is resized to the input.
    public struct Crop: RecipeSection {
        public enum Interpolation: String, CaseIterable, Decodable, Sendable {
            case bilinear, bicubic
        }

        public let minimumArea, maximumArea: Double
        public let minimumRatio, maximumRatio: Double
        public let interpolation: Interpolation

        public static let meanings = [
            "minimum_area": "Smallest share of the picture's area, above 0 to 1.",
            "maximum_area": "Largest share of the picture's area, above 0 to 1.",
            "minimum_ratio": "Smallest width over height.",
            "maximum_ratio": "Largest width over height.",
            "interpolation": "Filter of the resize.",
        ]

        public func check(_ here: Here) {
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

    /// `(value / 255 - mean) / deviation` for each colour channel.
    public struct Normalize: RecipeSection {
        public let mean: [Double]
        public let std: [Double]

        public static let meanings = [
            "mean": "One number for red, green, blue, of values 0 to 1.",
            "std": "One number for red, green, blue, of values 0 to 1.",
        ]

        public func check(_ here: Here) {
            here.require(mean.count == 3, at: "mean", "3 numbers expected, found \(mean.count)")
            here.require(std.count == 3, at: "std", "3 numbers expected, found \(std.count)")
            here.require(std.allSatisfy { $0 > 0 }, at: "std", "numbers above 0 expected")
        }
    }
}
