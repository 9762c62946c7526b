public import Autodiff
import Batches
import Kernels
public import Objectives
import Optimizers
public import Recipes

/// What a recipe asks of the machines, found without taking the memory or training anything.
public struct PlanSummary {
    /// How long the run is; needs the data.
    public struct Length: Sendable, Equatable {
        public let data: String
        public let images, updatesPerEpoch: Int
        /// Updates of the whole run and all networks.
        public internal(set) var updates: Int
    }

    public let recipe: Recipe
    public let ranks: Int
    /// Samples of one micro-batch on one rank.
    public let samples: Int
    /// The plan of one micro-batch on one rank.
    public let report: PlanReport
    /// Memory of values that computing blocks again saves; nil where all are kept.
    public let savedBytes: Int?
    public let length: Length?
    /// What images take as tokens, where the recipe trains a tokenizer; and bytes of one in the data now, where they are there.
    public let tokens: (side: Int, codes: Int)?
    public let sourceBytesPerImage: Double?
    /// Why the length is not known.
    public let dataProblem: String?
    /// State of the update rule, the EMA weights, the batches held ready: bytes of one rank.
    public let stateBytes, averageBytes, loaderBytes: Int
    /// What is kept of each training sample, such as a target; nil without that or where the data are not there.
    public let targets: (bytes: Int, areSharded: Bool)?
    /// Trained in turns, each with state of its own; under ELR+ each with an average of its own.
    public let networks: Int
    /// Values of the evaluations of a classifier.
    public let evaluationBytes: Int
    /// What is asked for beside the plan, by a guide.
    public let hooks: [any HookCost]

    public init(_ recipe: Recipe, ranks: Int) throws {
        samples = try recipe.microBatch(ranks: ranks)
        var length: Length?
        // Where the data are not there: a head of ImageNet's size.
        var (classes, problem, bytes) = (1000, String?.none, Double?.none)
        do {
            let source = try TrainingSets(recipe).train
            let sampler = try recipe.sampler(of: source)
            classes = source.classes?.count ?? 0
            bytes = source.totalStoredBytes.map { Double($0) / Double(source.count) }
            length = Length(
                data: source.name, images: source.count, updatesPerEpoch: sampler.updatesPerEpoch,
                updates: recipe.totalUpdates(perEpoch: sampler.updatesPerEpoch))
        } catch { problem = "\(error)" }
        let experiment = try Experiment(recipe, samples: samples, classes: classes, training: 0)
        length?.updates *= experiment.objective.networks
        func planned(recomputes: Bool) throws -> PlanReport {
            var options = PlanOptions()
            options.recomputesBlocks = recomputes
            return try PlanReport(
                experiment.graph, minimising: experiment.minimised, keeping: experiment.kept, options: options)
        }
        let report = try planned(recomputes: recipe.recompute ?? false)
        self.report = report
        savedBytes = recipe.recompute == true ? try planned(recomputes: false).arenaBytes - report.arenaBytes : nil
        hooks = try experiment.parts.compactMap { try $0.cost() }
        networks = experiment.objective.networks
        stateBytes =
            try networks * recipe.updateRule(experiment.catalog.optimizers).stateNames.count * report.gradientBytes
        targets = length.flatMap { experiment.objective.kept(samples: $0.images, classes: classes, ranks: ranks) }
        evaluationBytes = try Self.evaluationBytes(recipe, samples: samples, classes: classes)
        averageBytes = (networks > 1 ? networks : experiment.parts.reduce(0) { $0 + $1.copies }) * report.parameterBytes
        let inputs = experiment.batch
        let floats = [inputs.images, inputs.mask, inputs.targets].reduce(0) { $0 + ($1?.shape.count ?? 0) }
        loaderBytes = recipe.loader.prefetchBatches * (floats * MemoryLayout<Float>.stride)
        (self.length, dataProblem, sourceBytesPerImage) = (length, problem, bytes)
        tokens = experiment.objective.writtenGrid
        (self.recipe, self.ranks) = (recipe, ranks)
    }

    /// Multiply-adds times two of one image, forward and backward.
    public var flopsPerImage: Int { flops / samples }

    /// Multiply-adds times two of one micro-batch on one rank. Under ELR+ the other network's average looks at it too.
    private var flops: Int {
        report.flops + (networks > 1 ? report.rows.reduce(0) { $0 + $1.flops } : 0)
            + hooks.reduce(0) { $0 + $1.networkFlops }
    }

    /// Weights of all networks.
    public var parameterBytes: Int { networks * report.parameterBytes }

    /// Targets of all ranks, which rank 0 holds beside its share while it writes a checkpoint; 0 where ranks do not share
    /// them out.
    public var gatheredTargetBytes: Int { targets.map { $0.areSharded ? $0.bytes * ranks : 0 } ?? 0 }

    /// Memory of rank 0, which holds the most.
    public var memoryBytes: Int {
        parameterBytes + report.gradientBytes + stateBytes + averageBytes + (targets?.bytes ?? 0) + gatheredTargetBytes
            + report.arenaBytes + evaluationBytes + loaderBytes + hooks.reduce(0) { $0 + $1.bytes }
    }

    private static func evaluationBytes(_ recipe: Recipe, samples: Int, classes: Int) throws -> Int {
        let experiment = try Experiment(recipe, samples: recipe.evaluation?.batch ?? samples, classes: classes)
        guard let logits = experiment.objective.logits(experiment.batch.images) else { return 0 }
        return try PlanReport(experiment.graph, minimising: nil, keeping: [logits]).arenaBytes
    }

    /// Parameters, state of the rule, average and targets of one checkpoint.
    public var checkpointBytes: Int {
        parameterBytes + stateBytes + averageBytes
            + (targets.map { $0.areSharded ? $0.bytes * ranks : $0.bytes } ?? 0)
    }

    /// Bytes that each rank hands in and gets back in a step, its gradient and what hooks compare over ranks; none alone.
    public var exchangedBytes: Int {
        ranks > 1 ? hooks.reduce(report.gradientBytes) { $0 + $1.exchangedBytes } : 0
    }

    /// Seconds of one update if the whole step ran at a share of the GEMM throughput; a guide comes on top.
    /// - Parameters:
    ///   - rate: of one thread.
    ///   - share: of that rate which whole steps reach.
    public func secondsPerUpdate(flopsPerSecond rate: Double, threads: Int, share: Double) -> Double {
        let hooked = hooks.reduce(0) { $0 + $1.networkFlops + $1.planFlops }
        return Double((flops + report.recomputedFlops - hooked) * recipe.batch.gradAccumSteps)
            / (rate * Double(threads) * share)
    }

    /// Share of the GEMM throughput that SimMIM steps of ViT sizes reach on one thread.
    public static let usualShare = 0.81
}
