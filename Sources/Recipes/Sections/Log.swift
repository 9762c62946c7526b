extension Recipe {
    /// When a line of metrics is written.
    public struct Log: RecipeSection {
        public let everyUpdates: Int

        public static let meanings = ["every_updates": "Updates between lines."]

        public func check(_ here: Here) {
            here.require(everyUpdates >= 1, at: "every_updates", "at least 1 expected, found \(everyUpdates)")
        }
    }
}
