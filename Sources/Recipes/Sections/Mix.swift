extension Recipe {
    /// Pairs of images of a batch mixed with their targets.
    public struct Mix: RecipeSection {
        public enum Mode: String, CaseIterable, Decodable, Sendable {
            case batch, elem, pair
        }

        public enum Partner: String, CaseIterable, Decodable, Sendable {
            case neighbour, mirror
        }

        public let mixup, cutmix: Double
        public let probability: Double
        public let `switch`: Double
        public let mode: Mode
        public let partner: Partner
        public let cutmixMinmax: [Double]?

        public static let defaults = [
            "probability": "1", "switch": "0.5", "mode": "batch", "partner": "neighbour",
        ]
        public static let meanings = [
            "mixup": "alpha of mixup's Beta(alpha, alpha); 0: none.",
            "cutmix": "alpha of CutMix's Beta(alpha, alpha); 0: none.",
            "probability": "Of mixing at all, 0 to 1.",
            "switch": "Probability of CutMix where both are on, 0 to 1.",
            "mode": "What one draw is for: the whole batch of an update, each image (elem) or each pair.",
            "partner":
                "neighbour: pairs next to each other, the same for any number of ranks; mirror: first and last of "
                + "each rank's micro-batch and so on, as the reference implementations do it.",
            "cutmix_minmax":
                "Least and greatest share of height and width that the box of CutMix has, in place of alpha; "
                + "absent: from alpha.",
        ]

        public func check(_ here: Here) {
            here.require(mixup >= 0, at: "mixup", "0 or more expected, found \(mixup)")
            here.require(cutmix >= 0, at: "cutmix", "0 or more expected, found \(cutmix)")
            here.require(
                mixup > 0 || cutmix > 0 || cutmixMinmax != nil, at: "", reading: ["mixup", "cutmix"],
                "mixup and cutmix are both 0; leave the section out")
            here.requireProbability(["probability": probability, "switch": `switch`])
            if let sides = cutmixMinmax {
                here.require(
                    sides.count == 2 && sides[0] > 0 && sides[0] <= sides[1] && sides[1] <= 1, at: "cutmix_minmax",
                    "two shares above 0 to 1, the smaller one first, expected")
            }
        }
    }
}
