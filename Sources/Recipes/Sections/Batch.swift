extension Recipe {
    /// Samples of one update over all ranks. The same whatever the number of ranks.
    public struct Batch: RecipeSection {
        public let global: Int
        public let accumulation: Int
        public let repeats: Int

        public static let defaults = ["accumulation": "1", "repeats": "1"]
        public static let meanings = [
            "global": "Samples of an update, over all ranks and micro-batches.",
            "accumulation": "Micro-batches of an update.",
            "repeats":
                "Copies of each sample in a batch, each augmented anew: repeated augmentation. An epoch has as many "
                + "updates as without, and sees one of so many samples.",
        ]

        public func check(_ here: Here) {
            here.requirePositive(["global": global, "accumulation": accumulation, "repeats": repeats])
            here.require(
                repeats <= global, at: "repeats", reading: ["global"],
                "\(repeats) copies of a sample are more than the batch of \(global)")
            here.require(
                global % accumulation == 0, at: "accumulation", reading: ["global"],
                "\(global) samples do not divide into \(accumulation) micro-batches")
        }
    }
}
