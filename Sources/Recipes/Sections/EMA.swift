extension Recipe {
    /// Exponential moving average of the weights, blended once an update.
    public struct EMA: RecipeSection {
        public let decay: Double

        public static let meanings = ["decay": "Share of the old average that stays at an update, 0 to below 1."]

        public func check(_ here: Here) {
            here.require((0..<1).contains(decay), at: "decay", "0 to below 1 expected, found \(decay)")
        }
    }
}
