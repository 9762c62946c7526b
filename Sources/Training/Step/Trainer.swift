public import Autodiff
import Batches
public import Cluster
public import Kernels
import Models
public import Objectives
public import Optimizers
public import Recipes

/// One process's part in training: the data path from a batch to the new weights, in the order that the optimiser
/// specification fixes. It owns the numbers of the run; files, logs and signals belong to `TrainingRun`.
public final class Trainer {
    public let recipe: Recipe
    public let objective: any Objective
    public let rule: any UpdateRule
    public let exchange: GradientExchange
    /// Samples of one micro-batch on this rank.
    public let samples: Int
    public var clock: TrainingClock
    let networks: [TrainedNetwork]
    let average: WeightEMA?
    let early: EarlyLearningStage?
    /// Labels as they were learned and as they should be, for the checkpoint; set by the run that knows them.
    var labels: NoisyLabels?
    let pool: WorkerPool
    /// Running statistics and counters of batch norms.
    let statistics, counters: [Floats]
    private let feed: any BatchFeed
    let rankSums: RankSums
    private(set) var guide: Guide?
    /// Of the guide that the run has or had.
    public let guideHash: String?
    private let weightDecays: WeightDecaySchedule
    private let inputs: BatchTensors
    private let loss: Loss
    private let dropPaths: DropPathFactors
    private let dropouts: DropoutKeys
    private let tally: StepStatistics
    let clip: Clip
    private let schedule: any LearningRateSchedule
    private let shouldStop: @Sendable () -> Bool
    private let announce: @Sendable (Phase, _ step: Int) -> Void

    /// Collective over the ranks.
    /// - Parameters:
    ///   - updatesPerEpoch: of one network.
    ///   - trainingSamples: of the set, for what is kept for each of them; nil where only the step is timed: then no file
    ///     is read either, and a guide keeps weights of its start.
    ///   - announce: told what a step does next, for the watchdog.
    public init(
        _ experiment: Experiment, feed: any BatchFeed, updatesPerEpoch: Int, trainingSamples: Int? = nil,
        communicator: any Communicator, pool: WorkerPool, options: PlanOptions = PlanOptions(),
        shouldStop: @escaping @Sendable () -> Bool = { false },
        announce: @escaping @Sendable (Phase, _ step: Int) -> Void = { _, _ in }
    ) throws {
        let recipe = experiment.recipe
        var options = options
        let sums = RankSums(communicator)
        options.sumOverRanks = { sums.add($0) }
        options.recomputesBlocks = recipe.recompute ?? false
        rankSums = sums
        rule = try recipe.updateRule(experiment.catalog.optimizers)
        let here = TrainedNetwork.Surroundings(
            experiment: experiment, rule: rule, communicator: communicator, pool: pool, options: options)
        let first = try TrainedNetwork(0, here, sharing: nil) { try communicator.allocate($0) }
        networks = try [first] + (1..<experiment.networks).map { try TrainedNetwork($0, here, sharing: first) }
        exchange = try GradientExchange(communicator, gradients: first.store.gradients, buckets: first.plan.buckets)
        guide = try experiment.guided.map {
            try Guide(
                $0, recipe, readsWeights: trainingSamples != nil, over: communicator, pool: pool, options: options)
        }
        guideHash = guide?.hash
        tally = StepStatistics(communicator)
        clip = Clip(recipe, before: rule)
        (statistics, counters) = (first.store.statistics, first.store.counters)
        average =
            recipe.ema == nil
            ? nil : WeightEMA(copying: first.store.values, statistics: statistics, counters: counters)
        early = try EarlyLearningStage(
            experiment, samples: trainingSamples ?? recipe.batch.global, communicator: communicator, pool: pool)
        let epochs = EpochClock(updates: updatesPerEpoch, accumulation: recipe.batch.gradAccumSteps)
        schedule = try recipe.learningRates(epochs, experiment.catalog.schedules)
        weightDecays = WeightDecaySchedule(recipe, epochs)
        clock = TrainingClock(
            updatesPerPass: updatesPerEpoch, globalBatch: recipe.batch.global,
            updatesOfNetworks: networks.map { _ in 0 })
        samples = experiment.batch.images.shape[0]
        dropPaths = DropPathFactors(experiment.graph, seed: recipe.seed, samples: samples)
        dropouts = DropoutKeys(experiment.graph, seed: recipe.seed)
        (inputs, loss, objective) = (experiment.batch, experiment.loss, experiment.objective)
        (self.recipe, self.feed, self.pool) = (recipe, feed, pool)
        (self.shouldStop, self.announce) = (shouldStop, announce)
    }

    /// Of the first network, which is the only one except under ELR+.
    public var store: ParameterStore { networks[0].store }
    public var plan: Plan { networks[0].plan }
    public var groups: ParameterGroups { networks[0].groups }
    var companions: [any StepHook] { networks[0].companions }

    /// One update: a global batch, its gradients added over micro-batches and ranks, the weights moved.
    public func step() throws -> StepReport {
        let network = networks[clock.network]
        let rate = schedule.learningRate(at: clock.ownStep)
        var (lossSum, weight) = (0.0, 0.0)
        var problem: String?
        try releaseGuide()
        for micro in 0..<recipe.batch.gradAccumSteps {
            announce(.reading, clock.step)
            let batch = try feed.next()
            announce(.forward, clock.step)
            try early?.prepare(batch, micro: micro, clock, other: otherAverage, draw: setDraws)
            bind(batch, to: network.plan)
            guide?.look(at: network.plan.value(of: inputs.images), hiding: batch.masks, micro: micro, clock)
            guide?.bind(network.plan)
            network.plan.forward()
            guide?.note(network.plan)
            network.plan.backward(adding: micro > 0) { bucket in
                if micro == recipe.batch.gradAccumSteps - 1 { exchange.send(bucket: bucket) }
            }
            try rankSums.check()
            early?.note(network.plan, micro: micro, network: clock.network)
            for companion in network.companions { companion.note(network.plan, batch, micro: micro) }
            lossSum += Double(network.plan.value(of: loss.sum)[0])
            weight += Double(network.plan.value(of: loss.weight)[0])
            if !lossSum.isFinite { problem = problem ?? whereNotFinite(batch, in: network.plan) }
            feed.release(batch)
        }
        announce(.exchange, clock.step)
        let total = try tally.add(loss: lossSum, weight: weight, isFinite: lossSum.isFinite, mustStop: shouldStop())
        for companion in network.companions { try companion.update(step: clock.step) }
        try exchange.finish()
        announce(.update, clock.step)
        var norm: Double?
        if total.ranksWithNonFiniteLoss == 0 {
            pool.scale(network.store.gradients, by: Float(1 / total.weight))
            norm = clip.apply(to: network.groups.runs, pool: pool)
        }
        if let norm {
            network.noise?.add(
                to: network.store.gradients, step: clock.ownUpdates, norm: norm, clip, pool: pool)
            update(network)
            try early?.commit(network: clock.network)
        }
        clock.tick(isSkipped: norm == nil)
        return StepReport(
            step: clock.step, epoch: (clock.step - 1) / clock.updatesPerEpoch, loss: total.loss / total.weight,
            rate: rate, gradientNorm: norm ?? .nan, isSkipped: norm == nil, problem: problem,
            mustStop: total.mustStop)
    }

    /// Collective. What a log line says of the guide and the last update; nothing without one.
    public func guidanceMeasures(over communicator: any Communicator) throws -> [StepRecord.Measure] {
        try guide?.takeMeasures(over: communicator) ?? []
    }

    /// After the last guided update of every network the guide's memory is free, and that of the comparisons.
    private func releaseGuide() throws {
        guard guide?.isUsed(at: clock.leastOwnStep) == false else { return }
        guide = nil
        try TrainedNetwork.leaveGuide(networks)
    }

    private func update(_ network: TrainedNetwork) {
        let weightDecay = weightDecays.value(at: clock.ownStep)
        for group in network.groups.groups {
            rule.update(
                group.run, learningRate: schedule.learningRate(at: clock.ownStep, scale: group.scale),
                weightDecay: group.decays ? weightDecay : 0, step: clock.ownUpdates + 1, pool: pool)
        }
        if let decay = recipe.ema?.decay {
            average?.blend(network.store.values, keep: decay, pool: pool)
            average?.blend(statistics: statistics, counters: counters, keep: decay, pool: pool)
        }
        if let copy = network.average?.store, let keep = early?.averageKeep(at: clock.ownUpdates + 1) {
            pool.blend(network.store.values, into: copy.values, keep: keep)
        }
    }

    /// What is left out at random in this step.
    private func setDraws(_ plan: Plan, _ batch: Batch) {
        dropPaths.set(plan, batch)
        dropouts.set(plan, batch)
    }

    /// ELR+: the averaged copy of the network whose turn it is not.
    private var otherAverage: Plan? { networks[networks.count - 1 - clock.network].average?.plan }

    private func bind(_ batch: Batch, to plan: Plan) {
        plan.set(inputs.images, batch.images)
        if let mask = inputs.mask { plan.set(mask, batch.masks) }
        if let targets = inputs.targets { plan.set(targets, batch.targets) }
        setDraws(plan, batch)
        early?.bind(plan)
    }

    /// Runs the batch once more with an eye on every value; only after a loss that is not finite. Other ranks, whose
    /// losses may be finite, take no part.
    private func whereNotFinite(_ batch: Batch, in plan: Plan) -> String {
        bind(batch, to: plan)
        guide?.bind(plan)
        return rankSums.alone { plan.firstOperationNotFinite() } ?? "a sum over ranks"
    }

    /// Numbers of the last update for a log line, in a fixed order.
    func takeMeasures() -> [StepRecord.Measure] {
        let last = (clock.step - 1) / clock.updatesPerPass % clock.networks
        let turn = clock.networks > 1 ? [StepRecord.Measure("network", Double(last + 1))] : []
        return turn + (networks[last].noise?.measures.map { StepRecord.Measure($0.name, $0.value) } ?? []) + companions.flatMap { $0.takeMeasures() }
    }
}

/// What one update reports.
public struct StepReport: Sendable {
    /// Updates done, skipped ones included.
    public let step: Int
    public let epoch: Int
    /// Mean over the global batch.
    public let loss: Double
    public let rate: Double
    /// Before clipping; not a number when the update was skipped.
    public let gradientNorm: Double
    /// The gradient was not finite: no weight changed, on any rank.
    public let isSkipped: Bool
    /// On the rank that met it: the operation whose output was not finite first.
    public let problem: String?
    /// A rank was asked to stop: all stop after this step.
    public let mustStop: Bool
}
