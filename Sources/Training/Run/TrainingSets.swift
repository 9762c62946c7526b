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

    public init(_ recipe: Recipe) throws {
        let whole = try recipe.source(recipe.data.train)
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
        train = try recipe.withLabelNoise(rest, part: 0)
        self.validation = try validation.map { try recipe.withLabelNoise($0, part: 1) }
        test = recipe.kind == .finetune ? try recipe.data.evaluation.map { try recipe.source($0) } : nil
        if let test {
            try train.checkClasses(agreeWith: test)
            try train.checkTokens(agreeWith: test)
        }
    }

    /// What evaluations during training see.
    public var evaluation: (any SampleSource)? { validation ?? test }
}

extension Recipe {
    /// The set under the recipe's label noise, if it has any.
    fileprivate func withLabelNoise(_ source: any SampleSource, part: UInt32) throws -> any SampleSource {
        guard let settings = data.labelNoise else { return source }
        let noise: Batches.LabelNoise
        if settings.kind == .symmetric {
            noise = .symmetric(rate: settings.rate)
        } else if settings.flips == nil,
            let size = settings.blocks ?? (data.train.kind == "cifar100" ? Batches.LabelNoise.cifar100Block : nil)
        {
            noise = .blocks(rate: settings.rate, size: size)
        } else {
            let flips = settings.flips?.map { ClassFlip(from: $0[0], to: $0[1]) } ?? Batches.LabelNoise.cifar10Flips
            noise = .flips(rate: settings.rate, flips, isSequential: settings.asymSequential)
        }
        return try NoisyLabels(source, noise, seed: settings.seed, part: part)
    }
}

extension Recipe.Portion {
    fileprivate var amount: ClassShare {
        perClass.map(ClassShare.perClass) ?? .share(share ?? 1)
    }

    fileprivate var text: String { perClass.map { "\($0)" } ?? "\(fixed((share ?? 1) * 100, digits: 2)) %" }
}

extension SampleSource {
    /// At most `count` of the samples, drawn at random.
    func atMost(_ count: Int?, seed: UInt64) -> any SampleSource {
        guard let count, count < self.count else { return self }
        var random = RandomStream(seed: seed, purpose: .split)
        return Subset(self, Array(random.permutation(self.count).prefix(count)), part: "\(count) at random")
    }
}

extension Recipe {
    /// The order of training. A subset may be smaller than a batch, which then holds samples several times.
    func sampler(of train: any SampleSource) throws(DataError) -> Sampler {
        try Sampler(
            count: train.count, globalBatch: batch.global, order: .shuffled(seed: seed), repetitions: batch.repeats,
            wraps: data.subset != nil)
    }

    /// Micro-batches for an objective of this recipe, with the labels as targets where it learns from labels.
    /// - Parameter grid: of the data, where it is tokens.
    public func trainingSettings(
        _ objective: any Objective, _ batch: BatchTensors, _ grid: TokenGrid?
    ) throws -> Batches.Loader.Settings {
        var settings = try loaderSettings(
            trainingTransform, hiding: objective.hiding,
            classes: type(of: objective).phase == .finetune ? batch.targets?.shape[1] ?? 0 : 0)
        guard let grid, tokens != nil else { return settings }
        // The stored grids: what training does to them, `TokenFeed` does.
        (settings.height, settings.width) = (grid.side, grid.side)
        settings.tokens = CentreTokens(grid, side: grid.side, embeds: false)
        return settings
    }
}
