public import Autodiff
public import Batches
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
    /// What goes on beside the gradient, as long as it does.
    private(set) var hooks: [any StepHook]
    /// What a resumed run must have the same, by keys of the run's state; kept when a hook is let go.
    public let marks: [String: String]
    let pool: WorkerPool
    let rankSums: RankSums
    let clip: Clip
    private let feed: any BatchFeed
    private let options: PlanOptions
    private let inputs: BatchTensors
    private let loss: Loss
    private let draws: Draws
    private let statistics: StepStatistics
    private let schedule: any LearningRateSchedule
    private let weightDecays: WeightDecaySchedule
    private let shouldStop: @Sendable () -> Bool
    private let announce: @Sendable (Phase, _ step: Int) -> Void

    /// Collective over the ranks.
    /// - Parameters:
    ///   - updatesPerEpoch: of one network.
    ///   - source: what is learned from; nil where only the step is timed: then no file is read, and a guide keeps the
    ///     weights that it is initialized with.
    ///   - announce: told what a step does next, for the watchdog.
    public init(
        _ experiment: Experiment, feed: any BatchFeed, updatesPerEpoch: Int, source: (any SampleSource)? = nil,
        communicator: any Communicator, pool: WorkerPool, options: PlanOptions = PlanOptions(),
        shouldStop: @escaping @Sendable () -> Bool = { false },
        announce: @escaping @Sendable (Phase, _ step: Int) -> Void = { _, _ in }
    ) throws {
        let recipe = experiment.recipe
        var options = options
        let sums = RankSums(communicator)
        options.sumOverRanks = { sums.add($0) }
        options.recomputesBlocks = recipe.recompute ?? false
        let rule = try recipe.updateRule(experiment.catalog.optimizers)
        samples = experiment.batch.images.shape[0]
        draws = Draws(experiment.graph, seed: recipe.seed, samples: samples)
        let first = try experiment.store(0, pool: pool) { try communicator.allocate($0) }
        let gradients = first.gradients
        func store(_ stream: Int) -> ParameterStore { experiment.store(stream, pool: pool) { _ in gradients } }
        let stores = [first] + (1..<experiment.objective.networks).map(store)
        networks = stores.enumerated().map { TrainedNetwork($0, $1, experiment, rule: rule) }
        let context = HookContext(
            recipe, experiment.batch, experiment.loss, classes: experiment.classes, stores: stores, source: source,
            communicator: communicator, pool: pool, options: options, draw: draws.set, newStore: store,
            read: StartingWeights.reader(for: recipe, codebook: source?.tokens?.codebook.name))
        hooks = try experiment.objective.hooks(context) + experiment.parts.compactMap { try $0.hook(context) }
        marks = hooks.reduce(into: [:]) { $0.merge($1.marks) { first, _ in first } }
        try TrainedNetwork.plan(networks, hooks, experiment.loss, pool: pool, options)
        exchange = try GradientExchange(communicator, gradients: gradients, buckets: networks[0].plan.buckets)
        statistics = StepStatistics(communicator)
        clip = Clip(recipe, before: rule)
        let epochs = EpochClock(updates: updatesPerEpoch, accumulation: recipe.batch.gradAccumSteps)
        schedule = try recipe.learningRates(epochs, experiment.catalog.schedules)
        weightDecays = WeightDecaySchedule(recipe, epochs)
        clock = TrainingClock(
            updatesPerPass: updatesPerEpoch, globalBatch: recipe.batch.global,
            updatesOfNetworks: networks.map { _ in 0 })
        (inputs, loss, objective) = (experiment.batch, experiment.loss, experiment.objective)
        (self.recipe, self.rule, self.feed, self.pool) = (recipe, rule, feed, pool)
        (self.options, rankSums, self.shouldStop, self.announce) = (options, sums, shouldStop, announce)
    }

    /// Weights of the first network, which is the only one except under ELR+.
    public var store: ParameterStore { networks[0].store }
    public var plan: Plan { networks[0].plan }
    public var groups: ParameterGroups { networks[0].groups }
    /// An average of the first network's weights, where the recipe has one.
    var average: WeightEMA? { hooks.lazy.compactMap(\.average).first }

    /// One update: a global batch, its gradients added over micro-batches and ranks, the weights moved.
    public func step() throws -> StepReport {
        try letHooksGo()
        let (network, last) = (networks[clock.network], recipe.batch.gradAccumSteps - 1)
        var found = Found()
        for micro in 0...last {
            announce(.reading, clock.step)
            var inputs = StepInputs(try feed.next(), micro: micro, clock)
            announce(.forward, clock.step)
            for hook in network.hooks { try hook.prepare(&inputs) }
            bind(inputs, to: network)
            network.plan.forward()
            network.plan.backward(adding: micro > 0) { if micro == last { exchange.send(bucket: $0) } }
            try rankSums.check()
            for hook in network.hooks { hook.note(network.plan, inputs) }
            note(inputs, network, &found)
            feed.release(inputs.batch)
        }
        announce(.exchange, clock.step)
        let total = try statistics.add(
            loss: found.loss, weight: found.weight, isFinite: found.loss.isFinite, mustStop: shouldStop())
        for hook in network.hooks { try hook.reduce(clock) }
        try exchange.finish()
        announce(.update, clock.step)
        let norm = clipped(network, total)
        if let norm {
            network.noise?.add(to: network.store.gradients, step: clock.ownUpdates, norm: norm, clip, pool: pool)
            update(network)
        }
        for hook in network.hooks { try hook.finish(clock, isSkipped: norm == nil) }
        defer { clock.tick(isSkipped: norm == nil) }
        return report(total, norm, found)
    }

    /// What the micro-batches of an update gave on this rank.
    private struct Found {
        var loss = 0.0, weight = 0.0
        var problem: String?
    }

    private func note(_ inputs: StepInputs, _ network: TrainedNetwork, _ found: inout Found) {
        found.loss += Double(network.plan.value(of: loss.sum)[0])
        found.weight += Double(network.plan.value(of: loss.weight)[0])
        if !found.loss.isFinite { found.problem = found.problem ?? whereNotFinite(inputs, network) }
    }

    private func report(_ total: StepStatistics.Total, _ norm: Double?, _ found: Found) -> StepReport {
        StepReport(
            step: clock.step + 1, epoch: clock.epoch, loss: total.loss / total.weight,
            rate: schedule.learningRate(at: clock.ownStep),
            gradientNorm: norm ?? .nan, isSkipped: norm == nil, problem: found.problem, mustStop: total.mustStop)
    }

    /// The mean gradient, clipped, and its norm before; nil where a number is not finite on any rank.
    private func clipped(_ network: TrainedNetwork, _ total: StepStatistics.Total) -> Double? {
        guard total.ranksWithNonFiniteLoss == 0 else { return nil }
        pool.scale(network.store.gradients, by: Float(1 / total.weight))
        return clip.apply(to: network.groups.runs, pool: pool)
    }

    /// After its last update with every network a hook's memory is free, and that of what it read.
    private func letHooksGo() throws {
        let step = clock.leastOwnStep
        guard !hooks.allSatisfy({ $0.isActive(at: step) }) else { return }
        hooks.removeAll { !$0.isActive(at: step) }
        try TrainedNetwork.plan(networks, hooks, loss, pool: pool, options)
    }

    private func update(_ network: TrainedNetwork) {
        let weightDecay = weightDecays.value(at: clock.ownStep)
        for group in network.groups.groups {
            rule.update(
                group.run, learningRate: schedule.learningRate(at: clock.ownStep, scale: group.scale),
                weightDecay: group.decays ? weightDecay : 0, step: clock.ownUpdates + 1, pool: pool)
        }
    }

    private func bind(_ inputs: StepInputs, to network: TrainedNetwork) {
        let (plan, tensors) = (network.plan, self.inputs)
        plan.set(tensors.images, inputs.images)
        if let mask = tensors.mask { plan.set(mask, inputs.batch.masks) }
        if let targets = tensors.targets { plan.set(targets, inputs.targets) }
        draws.set(plan, inputs.batch)
        for hook in network.hooks { hook.bind(plan) }
    }

    /// Runs the batch once more with an eye on every value; only after a loss that is not finite. Other ranks, whose
    /// losses may be finite, take no part.
    private func whereNotFinite(_ inputs: StepInputs, _ network: TrainedNetwork) -> String {
        bind(inputs, to: network)
        return rankSums.alone { network.plan.firstOperationNotFinite() } ?? "a sum over ranks"
    }

    /// Collective. Numbers of the last update for a log line, in a fixed order.
    public func takeMeasures() throws -> [Measure] {
        let last = (clock.step - 1) / clock.updatesPerPass % clock.networks
        let turn = clock.networks > 1 ? [Measure("network", Double(last + 1))] : []
        return try turn + (networks[last].noise?.measures.map { Measure($0.name, $0.value) } ?? [])
            + hooks.flatMap { try $0.takeMeasures() }
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
