extension Recipe {
    /// Samples of one update over all ranks. The same whatever the number of ranks.
    public struct Batch: RecipeSection {
        public let global: Int
        public let gradAccumSteps: Int
        public let augRepeats: Int

        public static let defaults = ["grad_accum_steps": "1", "aug_repeats": "1"]
        public static let meanings = [
            "global": "Samples of an update, over all ranks and micro-batches.",
            "grad_accum_steps": "Micro-batches of an update.",
            "aug_repeats":
                "Copies of each sample in a batch, each augmented anew: repeated augmentation. An epoch has as many "
                + "updates as without, and sees one of so many samples.",
        ]

        public func check(_ here: Here) {
            here.requirePositive(["global": global, "grad_accum_steps": gradAccumSteps, "aug_repeats": augRepeats])
            here.require(
                augRepeats <= global, at: "aug_repeats", reading: ["global"],
                "\(augRepeats) copies of a sample are more than the batch of \(global)")
            here.require(
                global % gradAccumSteps == 0, at: "grad_accum_steps", reading: ["global"],
                "\(global) samples do not divide into \(gradAccumSteps) micro-batches")
        }
    }
}
