extension Recipe {
    /// Samples of one update over all ranks. The same whatever the number of ranks.
    public struct Batch: RecipeSection {
        public let global: Int
        public let accumulation: Int

        public static let defaults = ["accumulation": "1"]
        public static let meanings = [
            "global": "Samples of an update, over all ranks and micro-batches.",
            "accumulation": "Micro-batches of an update.",
        ]

        public func check(_ here: Here) {
            here.require(global >= 1, at: "global", "at least 1 expected, found \(global)")
            here.require(accumulation >= 1, at: "accumulation", "at least 1 expected, found \(accumulation)")
            here.require(
                global % accumulation == 0, at: "accumulation", reading: ["global"],
                "\(global) samples do not divide into \(accumulation) micro-batches")
        }
    }
}
