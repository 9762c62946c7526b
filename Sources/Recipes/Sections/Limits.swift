extension Recipe {
    /// Faults that a run survives.
    public struct Limits: RecipeSection {
        public let badSamplesShare: Double
        public let skippedUpdates: Int
        public let failedSaves: Int

        public static let meanings = [
            "bad_samples_share": "Share of unreadable samples, 0 to 1, beyond which the run ends.",
            "skipped_updates": "Updates in a row that may be skipped for a gradient that is not finite.",
            "failed_saves": "Checkpoints in a row that may fail.",
        ]

        public func check(_ here: Here) {
            here.require(
                (0...1).contains(badSamplesShare), at: "bad_samples_share", "0 to 1 expected, found \(badSamplesShare)")
            here.require(skippedUpdates >= 0, at: "skipped_updates", "0 or more expected, found \(skippedUpdates)")
            here.require(failedSaves >= 0, at: "failed_saves", "0 or more expected, found \(failedSaves)")
        }
    }
}
