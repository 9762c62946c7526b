public import Optimizers
public import Recipes

// What the sections of a recipe stand for in the modules that know no recipes.

extension Recipe {
    /// The rule that moves the weights.
    public var updateRule: any UpdateRule {
        switch optimizer.rule {
        case .adamW(let betas, let eps): AdamW(AdamSettings(betas: betas, eps: eps))
        case .adam(let betas, let eps): Adam(AdamSettings(betas: betas, eps: eps))
        case .sgd(let momentum, let dampening, let nesterov):
            SGD(.init(momentum: momentum, dampening: dampening, nesterov: nesterov))
        case .lamb(let betas, let eps, let correctsBias, let alwaysAdapts):
            LAMB(.init(betas: betas, eps: eps, biasCorrection: correctsBias, alwaysAdapt: alwaysAdapts))
        case .lion(let betas): Lion(.init(betas: betas))
        case .lars(let momentum, let trust, let form):
            LARS(.init(momentum: momentum, trustCoeff: trust, form: form == .mae ? .mae : .timm))
        }
    }

    /// Updates of the whole run of one network.
    public func totalUpdates(perEpoch: Int) -> Int { schedule.updates ?? (schedule.epochs ?? 0) * perEpoch }

    /// Updates between two checkpoints; nil without any.
    public func checkpointUpdates(perEpoch: Int) -> Int? {
        checkpoint.flatMap { $0.everyUpdates ?? $0.everyEpochs.map { $0 * perEpoch } }
    }

    /// The weight decay over the run.
    public func weightDecays(_ clock: EpochClock) -> WeightDecaySchedule {
        WeightDecaySchedule(
            optimizer.weightDecay, end: optimizer.weightDecayEnd,
            over: Updates(totalUpdates(perEpoch: clock.updates)))
    }

    /// The learning rate over the run.
    public func learningRates(_ clock: EpochClock) -> any LearningRateSchedule {
        let factor = schedule.rateFactor(global: batch.global)
        let frame = ScheduleFrame(
            base: schedule.baseRate * factor, batchFactor: factor, warmupStart: schedule.warmupRate ?? 0,
            warmup: Length(epochs: schedule.warmupEpochs, updates: schedule.warmupUpdates),
            length: Length(epochs: schedule.epochs, updates: schedule.updates) ?? .updates(Updates(0)), clock: clock)
        switch schedule.curve {
        case .constant: return SimMIMSchedule(frame, .constant)
        case .linear: return SimMIMSchedule(frame, .linear(end: 0.01))
        case .cosine(let minimum, .simmim): return SimMIMSchedule(frame, .cosine(minimum: minimum))
        case .cosine(let minimum, .mae): return MAESchedule(frame, minimum: minimum)
        case .cosine(let minimum, .deit): return DeiTSchedule(frame, minimum: minimum)
        case .cosine(_, .crate): return CRATESchedule(frame)
        case .cosine(_, .crateFineTuning): return CRATESchedule(frame, isFineTuning: true)
        case .cosine(_, .spark): return SparKSchedule(frame)
        case .multistep(let epochs, let gamma, .torch):
            return TorchSchedule(frame, .multistep(milestones: epochs.map(Epochs.init), gamma: gamma))
        case .multistep(let epochs, let gamma, .simmim):
            return SimMIMSchedule(frame, .multistep(milestones: epochs.map(Epochs.init), gamma: gamma))
        case .step(let every, let gamma, .torch):
            return TorchSchedule(frame, .step(period: Epochs(every), gamma: gamma))
        case .step(let every, let gamma, .simmim):
            return SimMIMSchedule(frame, .step(period: Epochs(every), gamma: gamma))
        case .warmRestarts(let minimum, let period):
            return TorchSchedule(frame, .warmRestarts(minimum: minimum, period: Epochs(period)))
        }
    }

    /// Seeds by purpose, as a checkpoint keeps them.
    var seeds: [String: UInt64] {
        var seeds = ["run": seed]
        if gradNoise != nil { seeds["grad_noise"] = noiseSeed }
        if let noise = data.labelNoise { seeds["label_noise"] = noise.seed }
        return seeds
    }
}
