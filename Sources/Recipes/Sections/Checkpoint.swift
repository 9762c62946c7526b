extension Recipe {
    /// When the state of the run is saved and how much of it stays.
    public struct CheckpointSettings: RecipeSection {
        public let everyUpdates: Int?
        public let everyEpochs: Int?
        public let keepLast: Int
        public let keepEveryUpdates: Int?

        public static let meanings = [
            "every_updates": "Updates between checkpoints; this or every_epochs.",
            "every_epochs": "Epochs between checkpoints; this or every_updates.",
            "keep_last": "Checkpoints that stay; older ones are removed.",
            "keep_every_updates": "Checkpoints at a multiple of this stay for good; absent: none does.",
        ]

        public func check(_ here: Here) {
            here.requireOne(of: ("every_updates", everyUpdates), or: ("every_epochs", everyEpochs))
            here.requirePositive([
                "every_updates": everyUpdates, "every_epochs": everyEpochs, "keep_last": keepLast,
                "keep_every_updates": keepEveryUpdates,
            ])
        }
    }

    /// Updates between two checkpoints; nil without any.
    public func checkpointUpdates(perEpoch: Int) -> Int? {
        checkpoint.flatMap { $0.everyUpdates ?? $0.everyEpochs.map { $0 * perEpoch } }
    }

    /// Updates of the whole run of one network.
    public func totalUpdates(perEpoch: Int) -> Int { schedule.updates ?? (schedule.epochs ?? 0) * perEpoch }
}
