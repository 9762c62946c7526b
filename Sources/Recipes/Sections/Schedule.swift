extension Recipe {
    /// Length of the run, warm-up and base learning rate. Lengths are whole epochs or updates, as the key says; the curve
    /// and its keys are its owner's, a file of Optimizers/Schedules.
    public struct Schedule: RecipeSection {
        public let epochs: Int?
        public let updates: Int?
        public let baseLR: Double
        public let lrBaseSize: Int?
        public let warmupEpochs: Int?
        public let warmupUpdates: Int?
        public let warmupLR: Double?

        /// What every rate of the schedule is multiplied by for a global batch: `global / lrBaseSize`, else 1.
        public func rateFactor(global: Int) -> Double { lrBaseSize.map { Double(global) / Double($0) } ?? 1 }

        public static let meanings = [
            "kind": "Shape of the learning rate after the warm-up. warm_restarts: a cosine that begins again every "
                + "cycle, by whole epochs, without a warm-up.",
            "epochs": "Length of the run in epochs; this or updates.",
            "updates": "Length of the run in updates; this or epochs.",
            "base_lr": "Learning rate at a global batch of lr_base_size.",
            "lr_base_size": "Learning rates are multiplied by global batch / this; absent: they hold as written.",
            "warmup_epochs": "Length of the linear warm-up in epochs; this or warmup_updates; absent: none.",
            "warmup_updates": "Length of the linear warm-up in updates; this or warmup_epochs; absent: none.",
            "warmup_lr": "Learning rate at the start of the warm-up, at a global batch of lr_base_size.",
        ]

        public func check(_ here: Here) {
            here.requireOne(of: ("updates", updates), or: ("epochs", epochs))
            here.requirePositive(["epochs": epochs, "updates": updates])
            checkWarmup(here)
            here.require(baseLR >= 0, at: "base_lr", "0 or more expected, found \(baseLR)")
            here.requirePositive(["lr_base_size": lrBaseSize])
        }

        private func checkWarmup(_ here: Here) {
            here.require(
                warmupEpochs == nil || warmupUpdates == nil, at: "warmup_updates", reading: ["warmup_epochs"],
                "warmup_epochs is given too; keep one")
            let hasLength = warmupEpochs != nil || warmupUpdates != nil
            here.require(
                !hasLength || warmupLR != nil, at: warmupEpochs != nil ? "warmup_epochs" : "warmup_updates",
                reading: ["warmup_lr"], "missing key 'warmup_lr': where the warm-up starts")
            here.require(
                hasLength || warmupLR == nil, at: "warmup_lr", reading: ["warmup_epochs", "warmup_updates"],
                "missing key 'warmup_epochs' or 'warmup_updates': how long the warm-up is")
            for case let (key, length?) in [("warmup_epochs", warmupEpochs), ("warmup_updates", warmupUpdates)] {
                here.require(length >= 0, at: key, "0 or more expected, found \(length)")
            }
            if let warmupLR {
                here.require(warmupLR >= 0, at: "warmup_lr", "0 or more expected, found \(warmupLR)")
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
