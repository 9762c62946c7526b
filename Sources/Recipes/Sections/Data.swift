extension Recipe {
    /// Where samples come from. Each source is open: `procedural`, `idx`, `cifar10`, `digits`, `folder`, …
    public struct Data: RecipeSection {
        public let train: Section
        public let evaluation: Section?

        public static let meanings = [
            "train": "The samples that are learned from.",
            "evaluation": "The samples that probes and checks use; absent: none.",
        ]
    }
}
