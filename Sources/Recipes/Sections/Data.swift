extension Recipe {
    /// Where samples come from. Each source is open: `procedural`, `idx`, `cifar10`, `digits`, `folder`, …
    public struct Data: RecipeSection {
        public let train: Section
        public let evaluation: Section?
        public let subset: Subset?
        public let validation: Portion?
        public let labelNoise: LabelNoise?

        public static let meanings = [
            "train": "The samples that are learned from.",
            "evaluation": "The samples that probes and checks use; absent: none.",
            "subset": "Learn from a part of train, drawn anew for each seed; absent: from all of it.",
            "validation":
                "A part of train that is not learned from: learning rates and the best step are chosen on it, so that "
                + "evaluation stays unseen. Drawn from what subset leaves; absent: none.",
            "label_noise":
                "Wrong labels in train and validation; evaluation stays as it is. The clean labels are kept for "
                + "measuring only. Absent: none.",
        ]
    }

    /// The few labels that are learned from, drawn class by class. A smaller draw of the same seed is part of a larger one.
    public struct Subset: RecipeSection {
        public let shots: Int?
        public let labelFraction: Double?
        public let seed: UInt64

        public static let defaults = Portion.defaults
        public static let meanings = [
            "shots": "Samples of each class; this or label_fraction.",
            "label_fraction": "Share of each class, above 0 to below 1; this or shots.",
            "seed": "Another seed, other samples.",
        ]

        public func check(_ here: Here) {
            here.requirePortion(count: ("shots", shots), share: ("label_fraction", labelFraction))
        }
    }

    /// A part of a labelled set, drawn as `Subset` is: as many of each class, or the same share of each.
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
            here.requirePortion(count: ("per_class", perClass), share: ("share", share))
        }
    }
}

extension Here {
    /// Either so many samples of each class or a share of them.
    fileprivate func requirePortion(count: (key: String, value: Int?), share: (key: String, value: Double?)) {
        requireOne(of: share, or: count)
        if let value = count.value { require(value >= 1, at: count.key, "at least 1 expected, found \(value)") }
        if let value = share.value {
            require(value > 0 && value < 1, at: share.key, "above 0 to below 1 expected, found \(value)")
        }
    }
}
