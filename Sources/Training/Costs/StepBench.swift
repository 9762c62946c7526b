public import Autodiff
public import Batches
public import Cluster
public import Kernels
public import Objectives
import Optimizers
import Platform
public import Recipes

/// Training steps on synthetic data through the trainer itself, for timing: no files are read or written.
public final class StepBench {
    /// What the timed steps showed; of one rank except where it says otherwise.
    public struct Result: Sendable, Equatable {
        /// Throughput of all ranks.
        public let imagesPerSecond: Double
        /// Median.
        public let secondsPerStep: Double
        /// The most memory that a rank held.
        public let peakBytes: Int
        public let parameters: Int
        /// Forward and backward.
        public let flopsPerImage: Int
        public let threads: Int
        public let level: String
        public let ranks: Int
        public let batch: Int
        public let steps: Int
        /// The last step's, a sign that the steps computed something.
        public let loss: Double
        /// Small sums over ranks in a step, those of batch norm, and the seconds of one with the wait for other ranks.
        public let rankSumsPerStep: Int
        public let rankSumSeconds: Double
    }

    public let trainer: Trainer
    private let communicator: any Communicator
    private let pool: WorkerPool
    /// The one of every step.
    private let made: Batch
    private var reports: (seconds: [Double], loss: Double) = ([], .nan)

    /// Collective. The batch of a rank is the recipe's global batch over the ranks and micro-batches.
    public init(
        _ recipe: Recipe, communicator: any Communicator, pool: WorkerPool, options: PlanOptions = PlanOptions()
    ) throws {
        let samples = try recipe.microBatch(ranks: communicator.size)
        // Ten classes stand in for those of the data; a method without labels does not look at them.
        let experiment = try Experiment(recipe, samples: samples, classes: 10, training: communicator.rank)
        made = try Self.batch(recipe, experiment, samples: samples, rank: communicator.rank)
        let feed = try experiment.objective.timedFeed(RepeatedBatch(made), experiment.batch, recipe, pool: pool)
        trainer = try Trainer(
            experiment, feed: feed, updatesPerEpoch: Self.updatesPerEpoch,
            communicator: communicator, pool: pool,
            options: options)
        (self.communicator, self.pool) = (communicator, pool)
    }

    /// Long enough for every warm-up that a schedule may ask for.
    private static let updatesPerEpoch = 1000

    private static func batch(_ recipe: Recipe, _ experiment: Experiment, samples: Int, rank: Int) throws -> Batch {
        let own = experiment.objective.syntheticBatch(experiment.batch, seed: recipe.seed, first: rank * samples)
        if let own { return own }
        let settings = recipe.loaderSettings(recipe.trainingTransform, masking: experiment.objective.masking)
        let side = recipe.syntheticGrid?.side ?? recipe.images.size
        let shape = BatchShape(
            size: samples, height: side, width: side, channels: recipe.tokens == nil ? 3 : 1,
            maskCount: settings.masking?.count ?? 0, targetClasses: experiment.batch.targets?.shape[1] ?? 0)
        return Batch(
            synthetic: shape, seed: recipe.seed, first: rank * samples, codes: recipe.tokens?.codebookSize,
            masking: settings.masking)
    }

    /// Collective. One more step.
    /// - Parameter counts: false for a warm-up, which the result leaves out.
    /// - Returns: its seconds.
    @discardableResult
    public func step(counts: Bool = true) throws -> Double {
        let start = MonotonicTime.now
        let report = try trainer.step()
        let seconds = MonotonicTime.now - start
        if counts { reports.seconds.append(seconds) }
        reports.loss = report.loss
        return seconds
    }

    /// Mean of the timed steps; shares of operations refer to it, since they are means too.
    public var meanSecondsPerStep: Double { reports.seconds.reduce(0, +) / Double(max(reports.seconds.count, 1)) }

    /// Collective.
    public func result() throws -> Result {
        let sorted = reports.seconds.sorted()
        precondition(!sorted.isEmpty, "at least one step is timed")
        let median = (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
        let peak = Doubles([Double(peakResidentBytes())])
        try communicator.maximum(peak)
        let images = trainer.samples * trainer.recipe.batch.gradAccumSteps
        let sums = trainer.rankSums.times
        return Result(
            imagesPerSecond: Double(images * communicator.size) / median, secondsPerStep: median,
            peakBytes: Int(peak[0]), parameters: trainer.store.parameterCount,
            flopsPerImage: trainer.plan.report.flops / trainer.samples, threads: pool.threads,
            level: pool.level.rawValue, ranks: communicator.size, batch: images, steps: sorted.count,
            loss: reports.loss, rankSumsPerStep: sums.count / max(trainer.clock.step, 1),
            rankSumSeconds: sums.seconds / Double(max(sums.count, 1)))
    }

    /// Collective. Seconds of what a step does beside its operations, measured alone, by name. To be called after the last
    /// step: what learns beside the gradient moves once more.
    public func timesBesideOperations() throws -> [(name: String, seconds: Double)] {
        func timed(_ body: () throws -> Void) rethrows -> Double {
            let start = MonotonicTime.now
            try body()
            return MonotonicTime.now - start
        }
        let (groups, rule, clock, network) = (trainer.groups, trainer.rule, trainer.clock, trainer.networks[0])
        let clip = timed {
            pool.scale(trainer.store.gradients, by: 1)
            _ = trainer.clip.apply(to: groups.runs, pool: pool)
        }
        // A rate of 0: the same passes over memory, and the weights stay.
        let update = timed {
            for group in groups.groups {
                rule.update(group.run, learningRate: 0, weightDecay: 0, step: clock.updates + 1, pool: pool)
            }
        }
        var times = [
            ("scale and clip", clip), ("update rule", update),
            ("exchange, waiting", trainer.exchange.waitSeconds / Double(max(clock.step, 1))),
        ]
        if network.noise != nil {
            let seconds = timed {
                network.noise?.add(
                    to: network.store.gradients, step: clock.ownUpdates, norm: 1, trainer.clip, pool: pool)
            }
            times.append(("gradient noise", seconds))
        }
        return times + (try network.hooks.map { hook in (hook.name, try timed { try run(hook, network.plan) }) })
    }

    /// What a hook does in an update.
    private func run(_ hook: any StepHook, _ plan: Plan) throws {
        for micro in 0..<trainer.recipe.batch.gradAccumSteps {
            var inputs = StepInputs(made, micro: micro, trainer.clock)
            try hook.prepare(&inputs)
            hook.bind(plan)
            hook.note(plan, inputs)
        }
        try hook.reduce(trainer.clock)
        try hook.finish(trainer.clock, isSkipped: false)
    }
}

/// The same batch again and again.
public final class RepeatedBatch: BatchFeed {
    private let batch: Batch

    public init(_ batch: Batch) { self.batch = batch }
    public func next() -> Batch { batch }
    public func release(_ batch: Batch) {}
}
