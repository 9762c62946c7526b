extension Recipe {
    /// Length of the run, warm-up and base learning rate. Lengths are whole epochs or updates, as the key says; the curve
    /// and its keys are its owner's, a file of Optimizers/Schedules.
    public struct Schedule: RecipeSection {
        public let epochs: Int?
        public let updates: Int?
        public let baseRate: Double
        public let referenceBatch: Int?
        public let warmupEpochs: Int?
        public let warmupUpdates: Int?
        public let warmupRate: Double?

        /// What every rate of the schedule is multiplied by for a global batch: `global / referenceBatch`, else 1.
        public func rateFactor(global: Int) -> Double { referenceBatch.map { Double(global) / Double($0) } ?? 1 }

        public static let meanings = [
            "kind": "Shape of the learning rate after the warm-up. warm_restarts: a cosine that begins again every "
                + "period, by whole epochs, without a warm-up.",
            "epochs": "Length of the run in epochs; this or updates.",
            "updates": "Length of the run in updates; this or epochs.",
            "base_rate": "Learning rate at the reference batch.",
            "reference_batch": "Rates are multiplied by global batch / this; absent: they hold as written.",
            "warmup_epochs": "Length of the linear warm-up in epochs; this or warmup_updates; absent: none.",
            "warmup_updates": "Length of the linear warm-up in updates; this or warmup_epochs; absent: none.",
            "warmup_rate": "Rate at the start of the warm-up, at the reference batch.",
        ]

        public func check(_ here: Here) {
            here.requireOne(of: ("updates", updates), or: ("epochs", epochs))
            here.requirePositive(["epochs": epochs, "updates": updates])
            checkWarmup(here)
            here.require(baseRate >= 0, at: "base_rate", "0 or more expected, found \(baseRate)")
            here.requirePositive(["reference_batch": referenceBatch])
        }

        private func checkWarmup(_ here: Here) {
            here.require(
                warmupEpochs == nil || warmupUpdates == nil, at: "warmup_updates", reading: ["warmup_epochs"],
                "warmup_epochs is given too; keep one")
            let hasLength = warmupEpochs != nil || warmupUpdates != nil
            here.require(
                !hasLength || warmupRate != nil, at: warmupEpochs != nil ? "warmup_epochs" : "warmup_updates",
                reading: ["warmup_rate"], "missing key 'warmup_rate': where the warm-up starts")
            here.require(
                hasLength || warmupRate == nil, at: "warmup_rate", reading: ["warmup_epochs", "warmup_updates"],
                "missing key 'warmup_epochs' or 'warmup_updates': how long the warm-up is")
            for case let (key, length?) in [("warmup_epochs", warmupEpochs), ("warmup_updates", warmupUpdates)] {
                here.require(length >= 0, at: key, "0 or more expected, found \(length)")
            }
            if let warmupRate {
                here.require(warmupRate >= 0, at: "warmup_rate", "0 or more expected, found \(warmupRate)")
            }
        }

        /// The rule of the kinds whose warm-up ends inside the run.
        public func requireWarmupInside(_ here: Here) {
            for case let (key, length?, total?) in [
                ("warmup_epochs", warmupEpochs, epochs), ("warmup_updates", warmupUpdates, updates),
            ] {
                let whole = key.replacing("warmup_", with: "")
                here.require(
                    length <= total, at: key, reading: [whole], "\(length) is more than the run's \(total) \(whole)")
            }
        }
    }
}
