extension Recipe {
    /// How an image becomes the model's input; augmentations and the cut for evaluations are parts.
    public struct Images: RecipeSection {
        public let size: Int
        public let normalize: Normalize

        public static let meanings = [
            "size": "Height and width of the model's input, pixels.",
            "normalize": "Mean and standard deviation taken out of each colour channel.",
        ]

        public func check(_ here: Here) {
            here.require((1...4096).contains(size), at: "size", "1 to 4096 pixels expected, found \(size)")
        }
    }

    /// `(value / 255 - mean) / std` for each colour channel.
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

extension Recipe.Images {
    /// Nothing is done to a grid of tokens, and its numbers stay as they are.
    init(grid size: Int) { self.init(size: size, normalize: .init(mean: [0, 0, 0], std: [1, 1, 1])) }
}
