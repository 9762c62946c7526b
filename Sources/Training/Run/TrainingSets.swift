import Autodiff
public import Batches
import Kernels
public import Objectives
public import Recipes

/// The sets of a recipe: what is learned from, what chooses among the steps, what tells in the end how good they are.
public struct TrainingSets: Sendable {
    public let train: any SampleSource
    /// A part of the training data that is not learned from.
    public let validation: (any SampleSource)?
    /// Classifiers only.
    public let test: (any SampleSource)?

    /// - Parameter catalog: where the recipe's data sets stand.
    public init(_ recipe: Recipe, from catalog: Catalog = .own) throws {
        let whole = try recipe.source(recipe.data.train, from: catalog)
        let subset = try recipe.data.subset.map {
            try whole.drawing($0.shots, $0.labelFraction, seed: $0.seed, part: "")
        }
        let learned = Set(subset?.samples ?? [])
        let validation = try recipe.data.validation.map {
            try whole.drawing($0.perClass, $0.share, seed: $0.seed, avoiding: learned, part: "to validate on ")
        }
        let rest: any SampleSource
        if let subset {
            rest = subset
        } else if let validation {
            rest = whole.leaving(Set(validation.samples), part: "less those to validate on")
        } else {
            rest = whole
        }
        // Both splits are corrupted, each for itself; nobody has clean labels to choose by.
        let similar = catalog.dataSource(recipe.data.train).similarClasses
        train = try rest.noisy(recipe.data.labelNoise, similar: similar, part: 0)
        self.validation = try validation.map { try $0.noisy(recipe.data.labelNoise, similar: similar, part: 1) }
        test = recipe.kind == .finetune ? try recipe.data.evaluation.map { try recipe.source($0, from: catalog) } : nil
        if let test {
            try train.checkClasses(agreeWith: test)
            try train.checkTokens(agreeWith: test)
        }
    }

    /// What evaluations during training see.
    public var evaluation: (any SampleSource)? { validation ?? test }
}

extension SampleSource {
    /// A part of each class.
    fileprivate func drawing(
        _ count: Int?, _ share: Double?, seed: UInt64, avoiding: Set<Int> = [], part: String
    ) throws -> Subset {
        let text = count.map { "\($0)" } ?? "\(fixed((share ?? 1) * 100, digits: 2)) %"
        return try drawing(
            count.map { .perClass($0) } ?? .share(share ?? 1), seed: seed, avoiding: avoiding,
            part: "\(text) of each class \(part)(seed \(seed))")
    }
}

extension Recipe {
    /// The order of training. A subset may be smaller than a batch, which then holds samples several times.
    func sampler(of train: any SampleSource) throws -> Sampler {
        try Sampler(
            count: train.count, globalBatch: batch.global, order: .shuffled(seed: seed), repetitions: batch.augRepeats,
            wraps: data.subset != nil)
    }

    /// Micro-batches for an objective of this recipe, with the labels as targets where it learns from labels.
    public func trainingSettings(
        _ objective: any Objective, _ batch: BatchTensors, of source: any SampleSource
    ) -> Loader.Settings {
        var settings = loaderSettings(
            trainingTransform, masking: objective.masking,
            classes: type(of: objective).phase == .finetune ? batch.targets?.shape[1] ?? 0 : 0)
        // Stored grids as they are: what training does to them, the objective's feed does.
        if tokens != nil, let grid = source.tokens { settings.readWhole(grid) }
        return settings
    }
}
