extension Recipe {
    /// Length of the run and the learning rate over it. Lengths are whole epochs or updates, as the key says.
    public struct Schedule: RecipeSection {
        public enum Kind: String, CaseIterable, Decodable, Sendable {
            case constant, cosine, linear, multistep, step
            case warmRestarts = "warm_restarts"
        }

        /// Whose cosine it is.
        public enum CosineForm: String, CaseIterable, Decodable, Sendable {
            /// Counted from the start of the run, one update late; every rate grows with the batch.
            case simmim
            /// Counted from the end of the warm-up, in fractions of an epoch; the base rate alone grows with the batch.
            case mae
            /// By whole epochs, one late; the base rate alone grows with the batch.
            case deit
            /// By whole epochs: the smaller of a rise over the warm-up and a cosine over the whole run, down to 0.
            case crate
            /// By whole epochs, two late, down to 0.
            case crateFineTuning = "crate_fine_tuning"
            /// Counted from the end of a warm-up from 0.005 of the base rate, down to 0.001 of it; every rate grows with
            /// the batch.
            case spark
        }

        /// When the steps of `multistep` and `step` come.
        public enum StepForm: String, CaseIterable, Decodable, Sendable {
            /// With an epoch's first update, as in PyTorch.
            case torch
            /// One update later, as in SimMIM.
            case simmim
        }

        /// The curve after the warm-up.
        public enum Curve: Sendable, Equatable {
            case constant
            /// Down to `minimumRate` over the whole run.
            case cosine(minimumRate: Double, form: CosineForm)
            /// Down to a hundredth.
            case linear
            /// Times `gamma` at each milestone.
            case multistep(milestonesEpochs: [Int], gamma: Double, form: StepForm)
            /// Times `gamma` every so many epochs.
            case step(everyEpochs: Int, gamma: Double, form: StepForm)
            /// A cosine down to `minimumRate` that begins again every so many epochs, by whole epochs.
            case warmRestarts(minimumRate: Double, periodEpochs: Int)
        }

        public let kind: Kind
        public let epochs: Int?
        public let updates: Int?
        public let baseRate: Double
        public let referenceBatch: Int?
        public let warmupEpochs: Int?
        public let warmupUpdates: Int?
        public let warmupRate: Double?
        public let curve: Curve

        private enum CodingKeys: String, CodingKey {
            case kind, epochs, updates, baseRate, referenceBatch, warmupEpochs, warmupUpdates, warmupRate
            case minimumRate, form, milestonesEpochs, gamma, everyEpochs, periodEpochs
        }

        public init(from decoder: any Decoder) throws {
            let keys = try decoder.container(keyedBy: CodingKeys.self)
            func number(_ key: CodingKeys) throws -> Double { try keys.decode(Double.self, forKey: key) }
            kind = try keys.decode(Kind.self, forKey: .kind)
            epochs = try keys.decodeIfPresent(Int.self, forKey: .epochs)
            updates = try keys.decodeIfPresent(Int.self, forKey: .updates)
            baseRate = try number(.baseRate)
            referenceBatch = try keys.decodeIfPresent(Int.self, forKey: .referenceBatch)
            warmupEpochs = try keys.decodeIfPresent(Int.self, forKey: .warmupEpochs)
            warmupUpdates = try keys.decodeIfPresent(Int.self, forKey: .warmupUpdates)
            warmupRate = try keys.decodeIfPresent(Double.self, forKey: .warmupRate)
            switch kind {
            case .constant: curve = .constant
            case .linear: curve = .linear
            case .cosine:
                curve = .cosine(
                    minimumRate: try number(.minimumRate), form: try keys.decode(CosineForm.self, forKey: .form))
            case .multistep:
                curve = .multistep(
                    milestonesEpochs: try keys.decode([Int].self, forKey: .milestonesEpochs), gamma: try number(.gamma),
                    form: try keys.decodeIfPresent(StepForm.self, forKey: .form) ?? .torch)
            case .step:
                curve = .step(
                    everyEpochs: try keys.decode(Int.self, forKey: .everyEpochs), gamma: try number(.gamma),
                    form: try keys.decodeIfPresent(StepForm.self, forKey: .form) ?? .torch)
            case .warmRestarts:
                curve = .warmRestarts(
                    minimumRate: try number(.minimumRate),
                    periodEpochs: try keys.decode(Int.self, forKey: .periodEpochs))
            }
        }

        /// What every rate of the schedule is multiplied by for a global batch: `global / referenceBatch`, else 1.
        public func rateFactor(global: Int) -> Double { referenceBatch.map { Double(global) / Double($0) } ?? 1 }

        public static let defaults = ["form": "simmim"]
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
            "minimum_rate": "Rate at the end of the cosine or of a period, at the reference batch.",
            "form": "Of the cosine. simmim: counted from the start of the run, one update late, layer decay leaves "
                + "warm-up start and minimum alone; mae: counted from the end of a warm-up from 0; deit: by whole "
                + "epochs, one late; crate: by whole epochs, the smaller of a rise over the warm-up and a cosine over "
                + "the run; crate_fine_tuning: by whole epochs, two late; spark: from 0.005 of the base rate to 0.001 of "
                + "it. For all but simmim and spark the reference batch changes the base rate alone.",
            "milestones_epochs": "Epochs at which the rate is multiplied by gamma, rising.",
            "gamma": "Factor at a milestone or step.",
            "every_epochs": "Epochs between steps.",
            "period_epochs": "Epochs from one start of the cosine to the next.",
        ]

        public func check(_ here: Here) {
            checkLength(here)
            checkWarmup(here)
            here.require(baseRate >= 0, at: "base_rate", "0 or more expected, found \(baseRate)")
            here.requirePositive(["reference_batch": referenceBatch])
            switch curve {
            case .constant, .linear: break
            case .cosine(let minimumRate, let form):
                check(form, here)
                here.require(
                    minimumRate == 0 || ![.crate, .crateFineTuning].contains(form), at: "minimum_rate",
                    reading: ["form"], "the form '\(form.rawValue)' ends at 0")
                check(minimumRate: minimumRate, here)
            case .multistep(let milestones, let gamma, _):
                check(milestones: milestones, here)
                here.require(gamma > 0, at: "gamma", "more than 0 expected, found \(gamma)")
            case .step(let everyEpochs, let gamma, _):
                here.requirePositive(["every_epochs": everyEpochs])
                here.require(gamma > 0, at: "gamma", "more than 0 expected, found \(gamma)")
            case .warmRestarts(let minimumRate, let periodEpochs):
                here.requirePositive(["period_epochs": periodEpochs])
                check(minimumRate: minimumRate, here)
                here.require(
                    warmupEpochs == nil && warmupUpdates == nil,
                    at: warmupEpochs != nil ? "warmup_epochs" : "warmup_updates", reading: ["kind"],
                    "the kind '\(kind.rawValue)' has no warm-up")
            }
        }

        private func check(minimumRate: Double, _ here: Here) {
            here.require(minimumRate >= 0, at: "minimum_rate", "0 or more expected, found \(minimumRate)")
            here.require(
                minimumRate <= baseRate, at: "minimum_rate", reading: ["base_rate"],
                "\(minimumRate) is more than base_rate \(baseRate)")
        }

        private func checkLength(_ here: Here) {
            here.requireOne(of: ("updates", updates), or: ("epochs", epochs))
            here.requirePositive(["epochs": epochs, "updates": updates])
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
            for (key, length, total) in [
                ("warmup_epochs", warmupEpochs, epochs), ("warmup_updates", warmupUpdates, updates),
            ] {
                guard let length else { continue }
                here.require(length >= 0, at: key, "0 or more expected, found \(length)")
                guard let total else { continue }
                let whole = key.replacing("warmup_", with: "")
                here.require(
                    length <= total, at: key, reading: [whole], "\(length) is more than the run's \(total) \(whole)")
            }
            if let warmupRate {
                here.require(warmupRate >= 0, at: "warmup_rate", "0 or more expected, found \(warmupRate)")
            }
        }

        private func check(_ form: CosineForm, _ here: Here) {
            switch form {
            case .simmim: break
            case .mae:
                here.require(
                    (warmupRate ?? 0) == 0, at: "warmup_rate", reading: ["form"], "the form 'mae' starts at 0")
            case .deit:
                here.require(
                    updates == nil && warmupUpdates == nil, at: "form", reading: ["updates", "warmup_updates"],
                    "the form 'deit' counts whole epochs; give the lengths in epochs")
            case .crate, .crateFineTuning:
                here.require(
                    updates == nil && warmupUpdates == nil, at: "form", reading: ["updates", "warmup_updates"],
                    "the form '\(form.rawValue)' counts whole epochs; give the lengths in epochs")
                here.require(
                    (warmupRate ?? 0) == 0, at: "warmup_rate", reading: ["form"],
                    "the form '\(form.rawValue)' starts at 0")
                here.require(
                    form == .crate || warmupEpochs == nil, at: "warmup_epochs", reading: ["form"],
                    "the form '\(form.rawValue)' has no warm-up")
            case .spark:
                check(share: 0.005, of: warmupRate ?? baseRate * 0.005, at: "warmup_rate", here)
                if case .cosine(let minimumRate, _) = curve {
                    check(share: 0.001, of: minimumRate, at: "minimum_rate", here)
                }
            }
        }

        private func check(share: Double, of rate: Double, at key: String, _ here: Here) {
            let expected = baseRate * share
            here.require(
                abs(rate - expected) <= 1e-6 * expected, at: key, reading: ["form", "base_rate"],
                "the form 'spark' takes \(share) of base_rate, \(expected), found \(rate)")
        }

        private func check(milestones: [Int], _ here: Here) {
            let key = "milestones_epochs"
            here.require(!milestones.isEmpty, at: key, "at least one epoch expected")
            let rises = zip(milestones, milestones.dropFirst()).allSatisfy { $0 < $1 }
            here.require(rises, at: key, "rising epochs expected")
            if let epochs, let outside = milestones.first(where: { $0 < 1 || $0 >= epochs }) {
                here.require(false, at: key, reading: ["epochs"], "\(outside) is outside the run's \(epochs) epochs")
            }
            if let warmupEpochs, let first = milestones.first {
                here.require(
                    warmupEpochs <= first, at: key, reading: ["warmup_epochs"],
                    "\(first) lies in the warm-up of \(warmupEpochs) epochs")
            }
        }
    }
}
