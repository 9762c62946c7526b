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
            try whole.drawing($0.amount, seed: $0.seed, part: "\($0.text) of each class (seed \($0.seed))")
        }
        let learned = Set(subset?.samples ?? [])
        let validation = try recipe.data.validation.map {
            try whole.drawing(
                $0.amount, seed: $0.seed, avoiding: learned,
                part: "\($0.text) of each class to validate on (seed \($0.seed))")
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

extension Recipe.Subset {
    fileprivate var amount: ClassShare { shots.map(ClassShare.perClass) ?? .share(labelFraction ?? 1) }

    fileprivate var text: String { amountText(shots, labelFraction) }
}

extension Recipe.Portion {
    fileprivate var amount: ClassShare {
        perClass.map(ClassShare.perClass) ?? .share(share ?? 1)
    }

    fileprivate var text: String { amountText(perClass, share) }
}

private func amountText(_ count: Int?, _ share: Double?) -> String {
    count.map { "\($0)" } ?? "\(fixed((share ?? 1) * 100, digits: 2)) %"
}

extension Recipe {
    /// The order of training. A subset may be smaller than a batch, which then holds samples several times.
    func sampler(of train: any SampleSource) throws(DataError) -> Sampler {
        try Sampler(
            count: train.count, globalBatch: batch.global, order: .shuffled(seed: seed), repetitions: batch.augRepeats,
            wraps: data.subset != nil)
    }

    /// Micro-batches for an objective of this recipe, with the labels as targets where it learns from labels.
    /// - Parameter grid: of the data, where it is tokens.
    public func trainingSettings(
        _ objective: any Objective, _ batch: BatchTensors, _ grid: TokenGrid?
    ) -> Batches.Loader.Settings {
        var settings = loaderSettings(
            trainingTransform, masking: objective.masking,
            classes: type(of: objective).phase == .finetune ? batch.targets?.shape[1] ?? 0 : 0)
        guard let grid, tokens != nil else { return settings }
        // The stored grids: what training does to them, `TokenFeed` does.
        (settings.height, settings.width) = (grid.side, grid.side)
        settings.tokens = CentreTokens(grid, side: grid.side, embeds: false)
        return settings
    }
}
