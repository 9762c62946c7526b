public import Autodiff
import Batches
import Kernels
import Objectives
public import Recipes

/// What a recipe asks of the machines, found without taking the memory or training anything.
public struct PlanSummary {
    /// How long the run is; needs the data.
    public struct Length: Sendable, Equatable {
        public let data: String
        public let images, updatesPerEpoch, updates: Int
    }

    public let recipe: Recipe
    public let ranks: Int
    /// Samples of one micro-batch on one rank.
    public let samples: Int
    /// Of one micro-batch on one rank.
    public let report: PlanReport
    public let length: Length?
    /// What pictures take as tokens, where the recipe trains a tokenizer; and bytes of one in the data now, where they are there.
    public let tokens: TokenStorage?
    public let sourceBytesPerImage: Double?
    /// Why the length is not known.
    public let dataProblem: String?
    /// State of the update rule, the averaged weights, the batches held ready: bytes of one rank.
    public let stateBytes, averageBytes, loaderBytes: Int
    /// Values of the evaluations of a classifier.
    public let evaluationBytes: Int

    public init(_ recipe: Recipe, ranks: Int) throws {
        let accumulation = recipe.batch.accumulation
        guard ranks > 0, recipe.batch.global % (ranks * accumulation) == 0 else {
            throw TrainingError.batch(global: recipe.batch.global, ranks: ranks, accumulation: accumulation)
        }
        samples = recipe.batch.global / ranks / accumulation
        var length: Length?
        // Where the data are not there: a head of ImageNet's size.
        var (classes, problem, grid, bytes) = (1000, String?.none, TokenGrid?.none, Double?.none)
        do {
            let source = try TrainingSets(recipe).train
            let sampler = try recipe.sampler(of: source)
            classes = source.classes?.count ?? 0
            grid = source.tokens
            bytes = source.totalStoredBytes.map { Double($0) / Double(source.count) }
            length = Length(
                data: source.name, images: source.count, updatesPerEpoch: sampler.updatesPerEpoch,
                updates: recipe.totalUpdates(perEpoch: sampler.updatesPerEpoch))
        } catch { problem = "\(error)" }
        let experiment = try Experiment(recipe, samples: samples, classes: classes, tokens: grid)
        report = try PlanReport(
            experiment.graph, minimising: experiment.loss.sum, keeping: [experiment.loss.weight])
        stateBytes = recipe.updateRule.stateNames.count * report.gradientBytes
        evaluationBytes = try Self.evaluationBytes(recipe, samples: samples, classes: classes)
        averageBytes = recipe.average == nil ? 0 : report.parameterBytes
        let inputs = experiment.batch
        let floats = [inputs.images, inputs.mask, inputs.targets].reduce(0) { $0 + ($1?.shape.count ?? 0) }
        loaderBytes = recipe.loader.slots * (floats * MemoryLayout<Float>.stride)
        (self.length, dataProblem, sourceBytesPerImage) = (length, problem, bytes)
        tokens = TokenStorage(experiment.objective)
        (self.recipe, self.ranks) = (recipe, ranks)
    }

    /// Multiply-adds times two of one image, forward and backward.
    public var flopsPerImage: Int { report.flops / samples }

    /// Of one rank.
    public var memoryBytes: Int {
        report.parameterBytes + report.gradientBytes + stateBytes + averageBytes + report.arenaBytes + evaluationBytes
            + loaderBytes
    }

    private static func evaluationBytes(_ recipe: Recipe, samples: Int, classes: Int) throws -> Int {
        let experiment = try Experiment(recipe, samples: recipe.evaluation?.batch ?? samples, classes: classes)
        guard let logits = experiment.objective.logits(experiment.batch.images) else { return 0 }
        return try PlanReport(experiment.graph, minimising: nil, keeping: [logits]).arenaBytes
    }

    /// Parameters, state of the rule and average of one checkpoint.
    public var checkpointBytes: Int { report.parameterBytes + stateBytes + averageBytes }

    /// Bytes of gradient that each rank hands in and gets back in a step; none alone.
    public var exchangedBytes: Int { ranks > 1 ? report.gradientBytes : 0 }

    /// Seconds of one update if the whole step ran at a share of the product rate.
    /// - Parameters:
    ///   - rate: of one thread.
    ///   - share: of that rate which whole steps reach.
    public func secondsPerUpdate(flopsPerSecond rate: Double, threads: Int, share: Double) -> Double {
        Double(report.flops * recipe.batch.accumulation) / (rate * Double(threads) * share)
    }

    /// Of the product rate: what SimMIM steps of ViT sizes reach on one thread.
    public static let usualShare = 0.81
}
