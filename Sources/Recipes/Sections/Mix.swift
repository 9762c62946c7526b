extension Recipe {
    /// Pairs of images of a batch mixed with their targets.
    public struct Mix: RecipeSection {
        public enum Mode: String, CaseIterable, Decodable, Sendable {
            case batch, elem, pair
        }

        public enum Partner: String, CaseIterable, Decodable, Sendable {
            case neighbour, mirror
        }

        public let mixupAlpha, cutmixAlpha: Double
        public let prob, switchProb: Double
        public let mode: Mode
        public let partner: Partner
        public let cutmixMinmax: [Double]?

        public static let defaults = [
            "prob": "1", "switch_prob": "0.5", "mode": "batch", "partner": "neighbour",
        ]
        public static let meanings = [
            "mixup_alpha": "alpha of mixup's Beta(alpha, alpha); 0: none.",
            "cutmix_alpha": "alpha of CutMix's Beta(alpha, alpha); 0: none.",
            "prob": "Probability of mixing at all, 0 to 1.",
            "switch_prob": "Probability of CutMix where both are on, 0 to 1.",
            "mode": "What one draw is for: the whole batch of an update, each image (elem) or each pair.",
            "partner":
                "neighbour: pairs next to each other, the same for any number of ranks; mirror: first and last of "
                + "each rank's micro-batch and so on, as the reference implementations do it.",
            "cutmix_minmax":
                "Least and greatest share of height and width that the box of CutMix has, in place of alpha; "
                + "absent: from alpha.",
        ]

        public func check(_ here: Here) {
            here.require(mixupAlpha >= 0, at: "mixup_alpha", "0 or more expected, found \(mixupAlpha)")
            here.require(cutmixAlpha >= 0, at: "cutmix_alpha", "0 or more expected, found \(cutmixAlpha)")
            here.require(
                mixupAlpha > 0 || cutmixAlpha > 0 || cutmixMinmax != nil, at: "", reading: ["mixup_alpha", "cutmix_alpha"],
                "mixup_alpha and cutmix_alpha are both 0; leave the section out")
            here.requireProbability(["prob": prob, "switch_prob": switchProb])
            if let sides = cutmixMinmax {
                here.require(
                    sides.count == 2 && sides[0] > 0 && sides[0] <= sides[1] && sides[1] <= 1, at: "cutmix_minmax",
                    "two shares above 0 to 1, the smaller one first, expected")
            }
        }
    }
}
