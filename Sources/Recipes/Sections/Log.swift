extension Recipe {
    /// When a line of metrics is written.
    public struct Log: RecipeSection {
        public let everyUpdates: Int

        public static let meanings = ["every_updates": "Updates between lines."]

        public func check(_ here: Here) {
            here.requirePositive(["every_updates": everyUpdates])
        }
    }
}
