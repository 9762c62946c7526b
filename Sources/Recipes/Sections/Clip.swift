extension Recipe {
    /// Clipping of the gradient by its norm over all parameters.
    public struct Clip: RecipeSection {
        public let norm: Double

        public static let meanings = ["norm": "A longer gradient is shortened to this."]

        public func check(_ here: Here) {
            here.require(norm > 0, at: "norm", "more than 0 expected, found \(norm)")
        }
    }
}
