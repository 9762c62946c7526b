import Autodiff
import Batches
import Cluster
import Kernels
import Objectives
import Optimizers
import Recipes

/// What early-learning regularisation does in a step beside its loss: it brings the rows of the batch's samples, takes
/// the new ones, and for ELR+ asks the other network's average for them and mixes the batch.
final class EarlyLearningStage {
    /// Those of each network.
    let targets: [TargetRows]
    let settings: EarlyLearningSettings
    private let inputs: BatchTensors
    private let early: EarlyLearningTensors
    private let newRows: Tensor
    private let mixing: TargetMixing?
    private let cut: BatchCut
    private let size: Int
    private let pool: WorkerPool
    /// Of a micro-batch, (B, classes); the factor on the penalty.
    private let rows: Floats, factor = Floats(zeros: 1)

    /// Collective. Nil for a recipe without it.
    /// - Parameter samples: of the training set.
    init?(_ experiment: Experiment, samples: Int, communicator: any Communicator, pool: WorkerPool) throws {
        guard let settings = experiment.objective.earlyLearning, let early = experiment.batch.early,
            let newRows = experiment.loss.rows
        else { return nil }
        let (recipe, classes) = (experiment.recipe, experiment.classes)
        let size = experiment.batch.images.shape[0]
        let cut = BatchCut(
            rank: communicator.rank, ranks: communicator.size, accumulation: recipe.batch.gradAccumSteps)
        guard samples >= recipe.batch.global else {
            throw SharedError(TrainingError.targets(samples: samples, batch: recipe.batch.global))
        }
        if let plus = settings.plus, size % (plus.mixupSlice ?? recipe.batch.global / cut.accumulation) != 0 {
            throw SharedError(TrainingError.mixupSlice(plus.mixupSlice, size: size))
        }
        let isSharded = settings.isSharded(samples: samples, classes: classes)
        targets = try (0..<settings.networks).map { _ in
            try TargetRows(
                samples: samples, classes: classes, isSharded: isSharded, cut, size: size, communicator: communicator)
        }
        mixing = settings.plus.map {
            TargetMixing(
                $0, seed: recipe.seed, size: size, inputs: experiment.batch.images.shape.count / size, classes: classes)
        }
        rows = Floats(zeros: size * classes)
        (self.settings, inputs, self.early, self.newRows) = (settings, experiment.batch, early, newRows)
        (self.cut, self.size, self.pool) = (cut, size, pool)
    }

    /// Collective. Before the forward pass of a micro-batch: its rows, and for ELR+ what the other network makes of it.
    /// - Parameters:
    ///   - other: the average of the other network's weights; nil with one network.
    ///   - draw: gives a plan what is left out at random.
    func prepare(
        _ batch: Batch, micro: Int, _ clock: TrainingClock, other: Plan?, draw: (Plan, Batch) -> Void
    ) throws {
        try targets[clock.network].fetch(batch.samples, micro: micro, into: rows)
        guard let mixing, let other else { return }
        other.set(inputs.images, batch.images)
        other.set(early.rows, rows)
        draw(other, batch)
        other.forward()
        rows.copy(from: other.value(of: newRows))
        targets[clock.network].note(rows, micro: micro)
        factor[0] = Float(rampUp(clock.ownUpdates + 1, over: settings.plus?.coefStep ?? 0))
        mixing.mix(
            TargetMixing.Samples(images: batch.images, labels: batch.targets, targets: rows),
            place: (cut.rank * cut.accumulation + micro) * size, network: clock.network,
            update: clock.ownUpdates, pool: pool)
    }

    /// The inputs of the step, once prepared.
    func bind(_ plan: Plan) {
        guard let mixing, let mixed = early.mixed else { return plan.set(early.rows, rows) }
        plan.set(inputs.images, mixing.mixed.images)
        if let labels = inputs.targets { plan.set(labels, mixing.mixed.labels) }
        plan.set(mixed.targets, mixing.mixed.targets)
        plan.set(mixed.factor, factor)
    }

    /// After the forward pass: the rows that it gives.
    func note(_ plan: Plan, micro: Int, network: Int) {
        if mixing == nil { targets[network].note(plan.value(of: newRows), micro: micro) }
    }

    /// Collective. After an update that was done.
    func commit(network: Int) throws { try targets[network].commit() }

    /// The share of the EMA weights that stays at an update, counted from 1.
    func averageKeep(at update: Int) -> Double? {
        guard let plus = settings.plus else { return nil }
        let decay = plus.emaStep.map { EMADecay.ramp(plus.emaAlpha, updates: $0) } ?? .warm(plus.emaAlpha)
        return decay.value(at: update)
    }
}

extension EarlyLearningSettings {
    /// Trained in turns.
    var networks: Int { plus == nil ? 1 : 2 }

    func isSharded(samples: Int, classes: Int) -> Bool {
        switch store {
        case .auto: 4 * samples * classes > TargetRows.mostReplicatedBytes
        case .replicated: false
        case .sharded: true
        }
    }
}
