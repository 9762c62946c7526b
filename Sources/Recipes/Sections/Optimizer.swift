extension Recipe {
    /// What every update rule has; the keys of each kind are its owner's, a file of Optimizers/Rules.
    public struct Optimizer: RecipeSection {
        public let weightDecay: Double
        public let weightDecayEnd: Double?
        public let layerDecay: Double?

        public static let meanings = [
            "kind": "The update rule.",
            "weight_decay": "Decoupled for adamw, lamb and lion; added to the gradient for adam, sgd and lars.",
            "weight_decay_end": "Weight decay of the last update, reached by a cosine; absent: it stays.",
            "layer_decay":
                "Factor on the learning rate from a layer to the one before it, above 0 to 1; absent: one rate for all.",
        ]

        public func check(_ here: Here) {
            for case let (key, decay?) in [("weight_decay", weightDecay), ("weight_decay_end", weightDecayEnd)] {
                here.require(decay >= 0, at: key, "0 or more expected, found \(decay)")
            }
            if let layerDecay {
                here.require(
                    layerDecay > 0 && layerDecay <= 1, at: "layer_decay", "above 0 to 1 expected, found \(layerDecay)")
            }
        }
    }
}
