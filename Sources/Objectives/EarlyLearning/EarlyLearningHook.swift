import Autodiff
import Batches
import Checkpoints
import Cluster
import Kernels
import Messages
import Models
import Optimizers
import Recipes

/// What early-learning regularisation does in a step beside its loss: it brings the rows of the batch's samples, takes
/// the new ones, and for ELR+ asks the other network's average for them and mixes the batch.
final class EarlyLearningHook: StepHook {
    let name = "early-learning targets"
    /// One set for each network.
    private let targets: [TargetRows]
    private let settings: EarlyLearningSettings
    private let context: HookContext
    private let early: EarlyLearningTensors
    private let newRows: Tensor
    private let mixing: TargetMixing?
    private let labels: NoisyLabels?
    /// ELR+: the average of each network's weights, which gives the other one its targets. It starts with weights of its
    /// own, as in the reference, and runs on the statistics of each batch, of which it keeps running ones of its own.
    private let averages: [ParameterStore]
    private var plans: [Plan] = []
    /// Rows of a micro-batch, (B, classes); the factor on the penalty.
    private let rows: Floats, factor = Floats(zeros: 1)

    /// Collective.
    init(_ settings: EarlyLearningSettings, _ early: EarlyLearningTensors, rows newRows: Tensor, _ context: HookContext)
        throws
    {
        let (batch, classes, size) = (context.recipe.batch, context.classes, context.samples)
        let samples = context.source?.count ?? batch.global
        guard samples >= batch.global else {
            throw SharedError(
                ModelError(
                    "batch.global", found: "\(batch.global) for \(samples) training samples",
                    expected: "with objective.elr at most as many, so that no sample comes twice in a batch",
                    hint: "take a smaller batch"))
        }
        if let plus = settings.plus, size % (plus.mixupSlice ?? batch.global / batch.gradAccumSteps) != 0 {
            throw SharedError(
                ModelError(
                    "objective.elr.plus.mixup_slice",
                    found: (plus.mixupSlice.map { "\($0)" } ?? "none, the whole batch")
                        + " for micro-batches of \(size) samples on a rank",
                    expected: "a divisor of \(size)", hint: "set it to the smallest micro-batch that you intend to use")
            )
        }
        let isSharded = settings.isSharded(samples: samples, classes: classes)
        targets = try (0..<settings.networks).map { _ in
            try TargetRows(
                samples: samples, classes: classes, isSharded: isSharded, context.cut, size: size,
                communicator: context.communicator)
        }
        mixing = settings.plus.map {
            TargetMixing(
                $0, seed: context.recipe.seed, size: size, inputs: context.batch.images.shape.count / size,
                classes: classes)
        }
        // Streams 0 and 1 are those of the networks.
        averages = settings.plus == nil ? [] : try (2..<2 + settings.networks).map { try context.newStore($0) }
        rows = Floats(zeros: size * classes)
        labels = context.source?.noisyLabels
        (self.settings, self.context, self.early, self.newRows) = (settings, context, early, newRows)
    }

    func follows(network: Int) -> Bool { true }

    var reads: [Tensor] { mixing == nil ? [newRows] : [] }

    func plan(in arena: Floats?) throws {
        plans = []
        guard let arena else { return }
        var options = context.options
        (options.arena, options.usesBatchStatistics) = (arena, true)
        plans = try averages.map {
            try Plan(
                newRows.graph, minimising: nil, keeping: [newRows], store: $0, pool: context.pool, options: options)
        }
    }

    /// The rows of the micro-batch, and for ELR+ what the other network makes of it.
    func prepare(_ inputs: inout StepInputs) throws {
        let (batch, clock, cut) = (inputs.batch, inputs.clock, context.cut)
        try targets[clock.network].fetch(batch.samples, micro: inputs.micro, into: rows)
        guard let mixing else { return }
        let other = plans[plans.count - 1 - clock.network]
        other.set(context.batch.images, batch.images)
        other.set(early.rows, rows)
        context.draw(other, batch)
        other.forward()
        rows.copy(from: other.value(of: newRows))
        targets[clock.network].note(rows, micro: inputs.micro)
        factor[0] = Float(rampUp(clock.ownUpdates + 1, over: settings.plus?.coefStep ?? 0))
        mixing.mix(
            TargetMixing.Samples(images: batch.images, labels: batch.targets, targets: rows),
            place: (cut.rank * cut.accumulation + inputs.micro) * context.samples, network: clock.network,
            update: clock.ownUpdates, pool: context.pool)
        (inputs.images, inputs.targets) = (mixing.mixed.images, mixing.mixed.labels)
    }

    func bind(_ plan: Plan) {
        guard let mixing, let mixed = early.mixed else { return plan.set(early.rows, rows) }
        plan.set(mixed.targets, mixing.mixed.targets)
        plan.set(mixed.factor, factor)
    }

    func note(_ plan: Plan, _ inputs: StepInputs) {
        if mixing == nil { targets[inputs.clock.network].note(plan.value(of: newRows), micro: inputs.micro) }
    }

    func finish(_ clock: TrainingClock, isSkipped: Bool) throws {
        guard !isSkipped else { return }
        if let plus = settings.plus {
            let keep = plus.averageDecay.value(at: clock.ownUpdates + 1)
            context.pool.blend(
                context.stores[clock.network].values, into: averages[clock.network].values, keep: keep)
        }
        try targets[clock.network].commit()
    }

    /// How well the targets find the labels that are wrong, where these are known.
    func evaluationMeasures() throws -> [Measure] {
        guard let found = try labels.map({ try targets[0].found(in: $0) }) else { return [] }
        return [.init("wrong_labels_precision", found.precision), .init("wrong_labels_recall", found.recall)]
    }

    func state(_ clock: TrainingClock) -> [String: JSON] {
        ["elr/step": .array(clock.updatesOfNetworks.map(JSON.integer))]
    }

    var copies: [(prefix: String, store: ParameterStore)] {
        averages.enumerated().map { ("elr/ema\($0 + 1)/", $1) }
    }

    var wholes: [WantedTensor] {
        targets.enumerated().map { network, rows in
            WantedTensor("elr/target\(network == 0 ? "" : "\(network + 1)")", [rows.samples, rows.classes])
        }
    }

    func gather() throws -> [Floats] { try targets.compactMap { try $0.gathered() } }

    func scatter(_ read: (WantedTensor) throws -> Floats?) throws {
        for (whole, rows) in zip(wholes, targets) { try rows.restore(read(whole)) }
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

    /// What the targets take on a rank.
    func kept(samples: Int, classes: Int, ranks: Int) -> KeptOfSamples {
        let isSharded = isSharded(samples: samples, classes: classes)
        let bytes = TargetRows.bytes(samples: samples, classes: classes, isSharded: isSharded, ranks: ranks)
        return (bytes: networks * bytes, areSharded: isSharded && ranks > 1)
    }
}

extension EarlyLearningSettings.Plus {
    /// The share of the EMA weights that stays at an update.
    fileprivate var averageDecay: EMADecay { emaStep.map { .ramp(emaAlpha, updates: $0) } ?? .warm(emaAlpha) }
}
