extension Recipe {
    /// Reading and augmenting ahead of the step.
    public struct LoaderSettings: RecipeSection {
        public let threads: Int
        public let prefetchBatches: Int

        public static let meanings = [
            "threads": "Threads of a rank that read and augment.",
            "prefetch_batches": "Micro-batches held ready.",
        ]

        public func check(_ here: Here) {
            here.requirePositive(["threads": threads])
            here.require(
                prefetchBatches >= 2, at: "prefetch_batches",
                "at least 2 expected, one in use and one being filled, found \(prefetchBatches)")
        }
    }
}
