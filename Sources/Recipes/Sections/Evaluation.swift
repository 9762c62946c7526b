extension Recipe {
    /// Scores of a classifier while it learns, on data.validation where the recipe has one, else on data.evaluation.
    /// The best step is kept.
    public struct Evaluation: RecipeSection {
        /// What the best step is the best in.
        public enum Metric: String, CaseIterable, Decodable, Sendable {
            case top1, loss
        }

        public let everyEpochs: Int?
        public let everyUpdates: Int?
        public let images: Int?
        public let batch: Int?
        public let metric: Metric

        public static let defaults = ["metric": "top1"]
        public static let meanings = [
            "every_epochs": "Epochs between evaluations; this or every_updates. The last step is always evaluated.",
            "every_updates": "Updates between evaluations; this or every_epochs.",
            "images": "At most so many images, drawn at random once; absent: all. The test at the end takes all.",
            "batch": "Images of a rank computed at once; absent: as in training.",
            "metric": "What the best step is the best in: the highest top1, or the lowest loss.",
        ]

        public func check(_ here: Here) {
            here.requireOne(of: ("every_updates", everyUpdates), or: ("every_epochs", everyEpochs))
            here.requirePositive([
                "every_epochs": everyEpochs, "every_updates": everyUpdates, "images": images, "batch": batch,
            ])
        }
    }
}
