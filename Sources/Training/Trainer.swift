public import Autodiff
import Batches
public import Cluster
public import Kernels
import Models
public import Objectives
public import Recipes

/// One process's part in training: the data path from a batch to the new weights, in the order that the optimiser
/// specification fixes. It owns the numbers of the run; files, logs and signals belong to `TrainingRun`.
public final class Trainer {
    public let recipe: Recipe
    public let objective: any Objective
    public let store: ParameterStore
    public let plan: Plan
    public let groups: ParameterGroups
    public let rule: any UpdateRule
    public let exchange: GradientExchange
    /// Samples of one micro-batch on this rank.
    public let samples: Int
    public var clock: TrainingClock
    var average: WeightAverage?
    let companions: [any StepCompanion]
    let pool: WorkerPool
    private let feed: any BatchFeed
    private let rankSums: RankSums
    private let decays: DecaySchedule
    private let inputs: BatchTensors
    private let loss: Loss
    private let dropPaths: DropPathFactors
    private let dropouts: DropoutKeys
    private let tally: StepTally
    private let clip: Clip
    private let rates: (schedule: Schedule, clock: EpochClock, base: Double)
    private let shouldStop: @Sendable () -> Bool
    private let announce: @Sendable (Phase, _ step: Int) -> Void

    /// Collective over the ranks.
    /// - Parameter announce: told what a step does next, for the watchdog.
    public init(
        _ experiment: Experiment, feed: any BatchFeed, updatesPerEpoch: Int, communicator: any Communicator,
        pool: WorkerPool, options: PlanOptions = PlanOptions(), shouldStop: @escaping @Sendable () -> Bool = { false },
        announce: @escaping @Sendable (Phase, _ step: Int) -> Void = { _, _ in }
    ) throws {
        let recipe = experiment.recipe
        store = try ParameterStore(
            experiment.graph, minimising: experiment.loss.sum, seed: recipe.seed, pool: pool, isFrozen: { _ in false },
            gradientMemory: { try communicator.allocate($0) })
        var options = options
        let sums = RankSums(communicator)
        options.sumOverRanks = { sums.add($0) }
        rankSums = sums
        companions = try experiment.companions(store, over: communicator, pool: pool)
        plan = try Plan(
            experiment.graph, minimising: experiment.loss.sum,
            keeping: [experiment.loss.weight] + companions.flatMap(\.reads), store: store, pool: pool, options: options)
        rule = recipe.updateRule
        let decay = experiment.objective.decay
        let layers = recipe.optimizer.layerDecay == nil ? nil : experiment.objective.layers
        groups = ParameterGroups(
            store, rule: rule, decays: { decay.decays($0, rank: $1) },
            rateScale: { layers?.scale(of: $0, decay: recipe.optimizer.layerDecay ?? 1) ?? 1 })
        exchange = try GradientExchange(communicator, gradients: store.gradients, buckets: plan.buckets)
        tally = StepTally(communicator)
        clip = Clip(limit: recipe.clip?.norm, form: recipe.optimizer.kind == .lamb ? .lamb : .torch)
        average = recipe.average == nil ? nil : WeightAverage(copying: store.values)
        rates = recipe.rates(perEpoch: updatesPerEpoch)
        decays = recipe.decay(perEpoch: updatesPerEpoch)
        clock = TrainingClock(updatesPerEpoch: updatesPerEpoch, globalBatch: recipe.batch.global)
        samples = experiment.batch.images.shape[0]
        dropPaths = DropPathFactors(experiment.graph, seed: recipe.seed, samples: samples)
        dropouts = DropoutKeys(experiment.graph, seed: recipe.seed)
        (inputs, loss, objective) = (experiment.batch, experiment.loss, experiment.objective)
        (self.recipe, self.feed, self.pool) = (recipe, feed, pool)
        (self.shouldStop, self.announce) = (shouldStop, announce)
    }

    /// One update: a global batch, its gradients added over micro-batches and ranks, the weights moved.
    public func step() throws -> StepReport {
        let rate = rates.schedule.rate(at: clock.step, base: rates.base, clock: rates.clock)
        var (lossSum, weight) = (0.0, 0.0)
        var problem: String?
        for micro in 0..<recipe.batch.accumulation {
            announce(.reading, clock.step)
            let batch = try feed.next()
            announce(.forward, clock.step)
            bind(batch)
            plan.forward()
            plan.backward(adding: micro > 0) { bucket in
                if micro == recipe.batch.accumulation - 1 { exchange.send(bucket: bucket) }
            }
            try rankSums.check()
            for companion in companions { companion.note(plan, batch, micro: micro) }
            lossSum += Double(plan.value(of: loss.sum)[0])
            weight += Double(plan.value(of: loss.weight)[0])
            if !lossSum.isFinite { problem = problem ?? whereNotFinite(batch) }
            feed.release(batch)
        }
        announce(.exchange, clock.step)
        let total = try tally.add(loss: lossSum, weight: weight, isFinite: lossSum.isFinite, mustStop: shouldStop())
        for companion in companions { try companion.update(step: clock.step) }
        try exchange.finish()
        announce(.update, clock.step)
        var norm: Double?
        if total.ranksWithoutNumber == 0 {
            pool.scale(store.gradients, by: Float(1 / total.weight))
            norm = clip.apply(to: groups.runs, pool: pool)
        }
        if norm != nil { update() }
        clock.tick(isSkipped: norm == nil)
        return StepReport(
            step: clock.step, epoch: (clock.step - 1) / clock.updatesPerEpoch, loss: total.loss / total.weight,
            rate: rate, gradientNorm: norm ?? .nan, isSkipped: norm == nil, problem: problem,
            mustStop: total.mustStop)
    }

    private func update() {
        let decay = decays.value(at: clock.step, clock: rates.clock)
        for group in groups.groups {
            let rate = rates.schedule.rate(
                at: clock.step, base: rates.base, scale: group.rateScale, clock: rates.clock)
            rule.update(
                group.run, rate: rate, decay: group.decays ? decay : 0,
                step: clock.updates + 1, pool: pool)
        }
        if let decay = recipe.average?.decay { average?.blend(store.values, keep: decay, pool: pool) }
    }

    private func bind(_ batch: Batch) {
        plan.set(inputs.images, batch.images)
        if let mask = inputs.mask { plan.set(mask, batch.masks) }
        if let targets = inputs.targets { plan.set(targets, batch.targets) }
        dropPaths.set(plan, batch)
        dropouts.set(plan, batch)
    }

    /// Runs the batch once more with an eye on every value; only after a loss that is not finite.
    private func whereNotFinite(_ batch: Batch) -> String {
        bind(batch)
        return plan.firstOperationNotFinite() ?? "the backward pass"
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

/// Where a run stands.
public struct TrainingClock: Sendable, Equatable {
    /// Updates tried, skipped ones included: the data and the schedule follow it.
    public private(set) var step = 0
    /// Updates done: the update rule and the gradient noise follow it.
    public private(set) var updates = 0
    public let updatesPerEpoch: Int
    public let globalBatch: Int

    public init(updatesPerEpoch: Int, globalBatch: Int, step: Int = 0, updates: Int = 0) {
        (self.updatesPerEpoch, self.globalBatch) = (updatesPerEpoch, globalBatch)
        (self.step, self.updates) = (step, updates)
    }

    public var epoch: Int { step / updatesPerEpoch }
    public var samplesSeen: Int { step * globalBatch }

    mutating func tick(isSkipped: Bool) {
        step += 1
        if !isSkipped { updates += 1 }
    }
}
