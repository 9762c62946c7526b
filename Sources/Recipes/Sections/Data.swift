extension Recipe {
    /// Where samples come from. Each source is open: `procedural`, `idx`, `cifar10`, `digits`, `folder`, …
    public struct Data: RecipeSection {
        public let train: Section
        public let evaluation: Section?
        public let subset: Portion?
        public let validation: Portion?
        public let labelNoise: LabelNoise?

        public static let meanings = [
            "train": "The samples that are learned from.",
            "evaluation": "The samples that probes and checks use; absent: none.",
            "subset": "Learn from a part of train, drawn anew for each seed; absent: from all of it.",
            "validation": "A part of train that is not learned from: rates and the best step are chosen on it, so that "
                + "evaluation stays unseen. Drawn from what subset leaves; absent: none.",
            "label_noise":
                "Wrong labels in train and validation; evaluation stays as it is. The clean labels are kept for "
                + "measuring only. Absent: none.",
        ]
    }

    /// A part of a labelled set, drawn class by class: as many of each, or the same share of each.
    /// A smaller draw of the same seed is part of a larger one.
    public struct Portion: RecipeSection {
        public let perClass: Int?
        public let share: Double?
        public let seed: UInt64

        public static let defaults = ["seed": "0"]
        public static let meanings = [
            "per_class": "Samples of each class; this or share.",
            "share": "Share of each class, above 0 to below 1; this or per_class.",
            "seed": "Another seed, other samples.",
        ]

        public func check(_ here: Here) {
            here.requireOne(of: ("share", share), or: ("per_class", perClass))
            here.requirePositive(["per_class": perClass])
            if let share {
                here.require(share > 0 && share < 1, at: "share", "above 0 to below 1 expected, found \(share)")
            }
        }
    }
}
