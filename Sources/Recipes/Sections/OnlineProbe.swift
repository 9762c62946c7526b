extension Recipe {
    /// A linear classifier that reads the features of each batch while the encoder learns: a curve to watch. Nothing of
    /// the encoder depends on it.
    public struct OnlineProbe: RecipeSection {
        public let lr: Double

        public static let meanings = ["lr": "Learning rate of the classifier, AdamW."]

        public func check(_ here: Here) {
            here.require(lr > 0, at: "lr", "more than 0 expected, found \(lr)")
        }
    }
}
