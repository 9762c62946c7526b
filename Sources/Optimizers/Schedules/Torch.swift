import Glibc
public import Recipes

/// Curves of torch.optim.lr_scheduler by whole epochs, stepped at the end of an epoch as ELR, guidance and most codes do:
/// the first update of an epoch has that epoch's learning rate. Before a step schedule may come a linear warm-up over
/// updates: update t of W runs at `start + t·(base - start)/W`. Every learning rate grows with the batch.
public struct TorchSchedule: LearningRateSchedule {
    public enum Shape: Sendable, Equatable {
        /// MultiStepLR: times `gamma` at each milestone.
        case multistep(milestones: [Epochs], gamma: Double)
        /// StepLR: times `gamma` every `period`.
        case step(period: Epochs, gamma: Double)
        /// CosineAnnealingLR down to `minimum` over the run, by epochs or updates, as its length is given; past its end it
        /// climbs again.
        case cosine(minimum: Double)
        /// CosineAnnealingWarmRestarts: a cosine down to `minimum` that begins again every `period`.
        case warmRestarts(minimum: Double, period: Epochs)
    }

    let frame: ScheduleFrame
    let shape: Shape

    public init(_ frame: ScheduleFrame, _ shape: Shape) {
        self.frame = frame
        self.shape = shape
    }

    public func learningRate(at update: Int, scale: Double) -> Double {
        let (base, warmup) = (frame.base, frame.warmupUpdates)
        if update < warmup {
            let start = frame.warmupStart * frame.batchFactor
            return scale * (start + Double(update) * (base - start) / Double(warmup))
        }
        let epoch = frame.clock.epoch(of: update).count
        switch shape {
        case .multistep(let milestones, let gamma):
            return scale * (base * pow(gamma, Double(milestones.count { $0.count <= epoch })))
        case .step(let period, let gamma):
            return scale * (base * pow(gamma, Double(epoch / period.count)))
        case .cosine(let minimum):
            let phase =
                switch frame.length {
                case .epochs(let epochs): Double(epoch) / Double(epochs.count)
                case .updates(let updates): Double(update) / Double(updates.count)
                }
            return scale * cosine(down: minimum, phase)
        case .warmRestarts(let minimum, let period):
            return scale * cosine(down: minimum, Double(epoch % period.count) / Double(period.count))
        }
    }

    private func cosine(down minimum: Double, _ phase: Double) -> Double {
        let minimum = minimum * frame.batchFactor
        return minimum + (frame.base - minimum) * halfCosine(phase)
    }
}

/// When the steps of a step schedule come.
public enum StepForm: String, CaseIterable, Decodable, Sendable {
    /// With an epoch's first update, as in PyTorch.
    case torch
    /// One update later, as in SimMIM.
    case simmim

    static let meaning =
        "torch: the learning rate changes with an epoch's first update; simmim: one update late, as does the warm-up."
}

/// Times `gamma` at each milestone.
public enum MultiStep: ScheduleKind {
    public struct Settings: RecipeSection {
        public let milestonesEpochs: [Int]
        public let gamma: Double
        public let form: StepForm

        public static let defaults = ["form": "torch"]
        public static let meanings = [
            "milestones_epochs": "Epochs at which the learning rate is multiplied by gamma, rising.",
            "gamma": "Factor at a milestone or step.", "form": StepForm.meaning,
        ]

        public func check(_ here: Here) {
            let key = "milestones_epochs"
            here.require(!milestonesEpochs.isEmpty, at: key, "at least one epoch expected")
            let rises = zip(milestonesEpochs, milestonesEpochs.dropFirst()).allSatisfy { $0 < $1 }
            here.require(rises, at: key, "rising epochs expected")
            here.requirePositive(gamma, at: "gamma")
        }
    }

    public static let kind = "multistep"

    public static func schedule(_ settings: Settings, _ frame: ScheduleFrame) -> any LearningRateSchedule {
        let milestones = settings.milestonesEpochs.map(Epochs.init)
        switch settings.form {
        case .torch: return TorchSchedule(frame, .multistep(milestones: milestones, gamma: settings.gamma))
        case .simmim: return SimMIMSchedule(frame, .multistep(milestones: milestones, gamma: settings.gamma))
        }
    }

    public static func check(_ settings: Settings, _ recipe: Recipe, _ here: Here) {
        let (schedule, key) = (recipe.schedule.shared, "milestones_epochs")
        schedule.requireWarmupInside(here)
        if let epochs = schedule.epochs,
            let outside = settings.milestonesEpochs.first(where: { $0 < 1 || $0 >= epochs })
        {
            here.require(false, at: key, reading: ["epochs"], "\(outside) is outside the run's \(epochs) epochs")
        }
        if let warmup = schedule.warmupEpochs, let first = settings.milestonesEpochs.first {
            here.require(
                warmup <= first, at: key, reading: ["warmup_epochs"], "\(first) lies in the warm-up of \(warmup) epochs"
            )
        }
    }
}

/// Times `gamma` every so many epochs.
public enum Step: ScheduleKind {
    public struct Settings: RecipeSection {
        public let stepEpochs: Int
        public let gamma: Double
        public let form: StepForm

        public static let defaults = ["form": "torch"]
        public static let meanings = [
            "step_epochs": "Epochs between steps.", "gamma": "Factor at a milestone or step.", "form": StepForm.meaning,
        ]

        public func check(_ here: Here) {
            here.requirePositive(["step_epochs": stepEpochs])
            here.requirePositive(gamma, at: "gamma")
        }
    }

    public static let kind = "step"

    public static func schedule(_ settings: Settings, _ frame: ScheduleFrame) -> any LearningRateSchedule {
        let period = Epochs(settings.stepEpochs)
        switch settings.form {
        case .torch: return TorchSchedule(frame, .step(period: period, gamma: settings.gamma))
        case .simmim: return SimMIMSchedule(frame, .step(period: period, gamma: settings.gamma))
        }
    }
}

/// A cosine that begins again every so many epochs, by whole epochs.
public enum WarmRestarts: ScheduleKind {
    public struct Settings: RecipeSection {
        public let minLR: Double
        public let cycleEpochs: Int

        public static let meanings = [
            "min_lr": "Learning rate at the end of a cycle, at a global batch of lr_base_size.",
            "cycle_epochs": "Epochs from one start of the cosine to the next.",
        ]

        public func check(_ here: Here) {
            here.requirePositive(["cycle_epochs": cycleEpochs])
            here.requireNotNegative(minLR, at: "min_lr")
        }
    }

    public static let kind = "warm_restarts"

    public static func schedule(_ settings: Settings, _ frame: ScheduleFrame) -> any LearningRateSchedule {
        TorchSchedule(
            frame, .warmRestarts(minimum: settings.minLR, period: Epochs(settings.cycleEpochs)))
    }

    public static func check(_ settings: Settings, _ recipe: Recipe, _ here: Here) {
        let schedule = recipe.schedule.shared
        here.requireMinimum(settings.minLR, under: schedule)
        here.require(
            schedule.warmupEpochs == nil && schedule.warmupUpdates == nil,
            at: schedule.warmupEpochs != nil ? "warmup_epochs" : "warmup_updates", reading: ["kind"],
            "the kind '\(kind)' has no warm-up")
    }
}

extension Here {
    /// A cosine goes down.
    func requireMinimum(_ minLR: Double, under schedule: Recipe.Schedule) {
        require(
            minLR <= schedule.baseLR, at: "min_lr", reading: ["base_lr"],
            "\(minLR) is more than base_lr \(schedule.baseLR)")
    }
}
