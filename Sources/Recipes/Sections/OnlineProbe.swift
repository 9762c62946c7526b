extension Recipe {
    /// A linear classifier that reads the features of each batch while the encoder learns: a curve to watch. Nothing of
    /// the encoder depends on it.
    public struct OnlineProbe: RecipeSection {
        public let rate: Double

        public static let meanings = ["rate": "Learning rate of the classifier, AdamW."]

        public func check(_ here: Here) {
            here.require(rate > 0, at: "rate", "more than 0 expected, found \(rate)")
        }
    }
}
