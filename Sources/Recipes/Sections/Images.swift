extension Recipe {
    /// How an image becomes the model's input.
    public struct Images: RecipeSection {
        public let size: Int
        public let randomResizedCrop: RandomResizedCrop?
        public let randomCrop: RandomCrop?
        public let hflip: Double?
        public let policy: Policy?
        public let colorJitter: Double?
        public let normalize: Normalize
        public let randomErasing: RandomErasing?
        public let mix: Mix?
        public let evaluation: Evaluation?

        public static let meanings = [
            "size": "Height and width of the model's input, pixels.",
            "random_resized_crop": "A random part, resized; absent: random_crop, or the whole image is resized.",
            "random_crop": "A random square without scaling; absent: random_resized_crop, or the whole image is resized.",
            "hflip": "Probability that an image is mirrored left to right, 0 to 1; absent: never.",
            "policy": "Random operations of a published policy; absent: none.",
            "color_jitter": "Brightness, contrast and saturation change by factors of up to 1 ± this; absent: not.",
            "normalize": "Mean and standard deviation taken out of each colour channel.",
            "random_erasing": "Boxes overwritten; absent: none.",
            "mix": "Mixup and CutMix, for classes; absent: none.",
            "evaluation": "What evaluations see; absent: the short edge resized to the input, and its centre.",
        ]

        public func check(_ here: Here) {
            here.require((1...4096).contains(size), at: "size", "1 to 4096 pixels expected, found \(size)")
            here.requireProbability(["hflip": hflip])
            here.require(
                randomResizedCrop == nil || randomCrop == nil, at: "random_crop", reading: ["random_resized_crop"],
                "random_resized_crop is given too; keep one")
            if let edge = randomCrop?.shortEdge, let padding = randomCrop?.padding {
                here.require(
                    edge + 2 * padding >= size, at: "random_crop.short_edge", reading: ["size", "random_crop.padding"],
                    "\(edge) pixels with a border of \(padding) are less than the input's \(size)")
            }
            if let colorJitter {
                here.require(colorJitter > 0, at: "color_jitter", "more than 0 expected, found \(colorJitter)")
            }
            // The references leave the jitter out without a word when a policy is on.
            here.require(
                colorJitter == nil || policy == nil || policy?.kind == .threeAugment, at: "color_jitter",
                reading: ["policy"], "a policy changes the colours already; only three_augment goes with color_jitter")
        }
    }

    /// A random square of the image, not scaled: CIFAR's pad-4 crop, the simple random crop of DeiT III.
    public struct RandomCrop: RecipeSection {
        public enum Border: String, CaseIterable, Decodable, Sendable {
            case zero, reflect
        }

        public let shortEdge: Int?
        public let padding: Int
        public let border: Border
        public let interpolation: RandomResizedCrop.Interpolation

        public static let defaults = ["padding": "0", "border": "zero"]
        public static let meanings = [
            "short_edge": "Pixels that the short edge is resized to before; absent: not resized.",
            "padding": "Pixels added on each side before.",
            "border": "What is added: zeros, or the image reflected.",
            "interpolation": "Filter of the resize, also that of evaluations.",
        ]

        public func check(_ here: Here) {
            if let shortEdge {
                here.require((1...4096).contains(shortEdge), at: "short_edge", "1 to 4096 expected, found \(shortEdge)")
            }
            here.require((0...4096).contains(padding), at: "padding", "0 to 4096 expected, found \(padding)")
        }
    }

    /// A box whose area and ratio are drawn, resized to the input.
    public struct RandomResizedCrop: RecipeSection {
        public enum Interpolation: String, CaseIterable, Decodable, Sendable {
            case bilinear, bicubic
        }

        public let scale, ratio: [Double]
        public let interpolation: Interpolation

        public static let meanings = [
            "scale": "Smallest and largest share of the image's area, above 0 to 1.",
            "ratio": "Smallest and largest width over height.",
            "interpolation": "Filter of the resize.",
        ]

        public func check(_ here: Here) {
            here.requireRange(scale, at: "scale", upTo: 1)
            here.requireRange(ratio, at: "ratio")
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
    /// The image that evaluations see: nothing is drawn.
    public struct Evaluation: RecipeSection {
        public let cropPct: Double?
        public let interpolation: Recipe.RandomResizedCrop.Interpolation

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
}

extension Recipe.Images {
    /// Nothing is done to a grid of tokens, and its numbers stay as they are.
    init(grid size: Int) {
        self.init(
            size: size, randomResizedCrop: nil, randomCrop: nil, hflip: nil, policy: nil, colorJitter: nil,
            normalize: Recipe.Normalize(mean: [0, 0, 0], std: [1, 1, 1]), randomErasing: nil, mix: nil, evaluation: nil)
    }
}
