public import Autodiff
public import Batches
public import Checkpoints
public import Cluster
public import Kernels
public import Objectives
public import Recipes

/// A recipe's model outside training: recorded for one batch size, filled with weights, computed forward only. It stands
/// in Training because runs score themselves with it too; whatever evaluates, exports or tokenizes begins here.
public struct LoadedModel {
    /// Where the weights come from.
    public enum Weights: Sendable {
        /// As before the first update; nil takes the recipe's seed.
        case initial(seed: UInt64? = nil)
        /// Those of a checkpoint, which has exactly the tensors of the model; `ema`: the EMA weights.
        case saved(Checkpoint, ema: Bool = false)

        /// The checkpoint, for messages.
        public var place: String {
            if case .saved(let checkpoint, _) = self { checkpoint.path } else { "initial weights" }
        }
    }

    public let experiment: Experiment
    public let store: ParameterStore
    private let pool: WorkerPool
    /// Factors that keep every branch of stochastic depth.
    private let keepsAll: Floats

    /// - Parameters:
    ///   - samples: computed at once by a rank.
    ///   - classes: of the data that the model was trained on; 0 without labels.
    public init(_ recipe: Recipe, samples: Int, classes: Int, weights: Weights, pool: WorkerPool) throws {
        let experiment = try Experiment(recipe, samples: samples, classes: classes)
        switch weights {
        case .initial(let seed):
            let store = ParameterStore(experiment.graph, minimising: nil, seed: seed ?? recipe.seed, pool: pool)
            self.init(experiment, store, pool: pool)
        case .saved(let checkpoint, let ema):
            let store = ParameterStore(experiment.graph, minimising: nil, seed: recipe.seed, pool: pool)
            try store.load(checkpoint, ema: ema)
            self.init(experiment, store, pool: pool)
        }
    }

    /// - Parameter store: weights that may change, such as those of a run.
    init(_ experiment: Experiment, _ store: ParameterStore, pool: WorkerPool) {
        (self.experiment, self.store, self.pool) = (experiment, store, pool)
        keepsAll = Floats([Float](repeating: 1, count: experiment.batch.images.shape[0]))
    }

    public var recipe: Recipe { experiment.recipe }
    public var objective: any Objective { experiment.objective }
    /// Normalised pixels or tokens, (B, H, W, C).
    public var images: Tensor { experiment.batch.images }

    /// A plan that computes these values.
    /// - Parameter arena: memory of another plan that is not needed at the same time.
    public func plan(keeping wanted: [Tensor], arena: Floats? = nil) throws(PlanError) -> Plan {
        var options = PlanOptions()
        options.arena = arena
        return try Plan(
            experiment.graph, minimising: nil, keeping: wanted, store: store, pool: pool, options: options)
    }

    /// Computes the values of `plan`, every branch kept.
    /// - Parameters:
    ///   - images: (B, H, W, C).
    ///   - masks: (B, mask); nil or empty where nothing is masked.
    public func forward(_ plan: Plan, _ images: Floats, masks: Floats? = nil) {
        // Each time: the memory of an input serves other values after its last use.
        plan.set(self.images, images)
        if let mask = experiment.batch.mask, let masks, masks.count > 0 { plan.set(mask, masks) }
        for site in experiment.graph.dropPaths { plan.set(site.factors, keepsAll) }
        plan.forward()
    }

    /// Goes once through a set in its order, each rank through its part. Images are cut as in evaluation.
    /// - Parameters:
    ///   - masked: masks are drawn, each by the sample's place in the set.
    ///   - tolerance: of samples that cannot be read; nil takes the recipe's.
    ///   - badSample: told of each at the end.
    ///   - body: gets a batch, which is empty where a rank has no part of it, and the samples done by all ranks; may set
    ///     `stop`.
    public func forEachBatch(
        of source: any SampleSource, masked: Bool = false, tolerance: Tolerance? = nil,
        over communicator: any Communicator = SingleProcess(), badSample: (String) -> Void = { _ in },
        _ body: (_ batch: Batch, _ done: Int, _ stop: inout Bool) throws -> Void
    ) throws {
        let samples = images.shape[0] * communicator.size
        let sampler = try Sampler(count: source.count, globalBatch: samples, order: .stored)
        var settings = recipe.loaderSettings(recipe.evaluationTransform, masking: masked ? objective.masking : nil)
        settings.tokens = recipe.evaluationTokens(source.tokens, channels: images.shape[3])
        if let tolerance { settings.tolerance = tolerance }
        let loader = try Loader(
            source, sampler, BatchCut(rank: communicator.rank, ranks: communicator.size), settings,
            updates: 0..<sampler.updatesPerEpoch)
        defer { loader.stop() }
        var stop = false
        for update in 0..<sampler.updatesPerEpoch {
            let batch = try loader.next()
            try body(batch, min((update + 1) * samples, source.count), &stop)
            loader.release(batch)
            if stop { return }
        }
        for bad in loader.bad.takeReports() { badSample("bad sample replaced: \(bad)") }
    }
}

extension ParameterStore {
    /// Takes over the weights of a checkpoint, which has exactly those of this model.
    /// - Parameter ema: the EMA weights instead of the last ones.
    public func load(_ checkpoint: Checkpoint, ema: Bool) throws(CheckpointError) {
        let model = try checkpoint.open(.model)
        let parameters = slots.map { WantedTensor($0.parameter.name, $0.parameter.shape.extents) }
        let tables = buffers.map { buffer in
            WantedTensor(buffer.name, buffer.shape.extents, isInteger: buffer.isInteger)
        }
        let stored = try model.tensors.fitted(to: parameters + tables, from: model.path)
        let targets = slots.map { Optional(values[$0.range]) } + buffers.map { buffer($0.name) }
        for case (let tensor?, let target?) in zip(stored, targets) { try tensor.copy(into: target) }
        guard ema else { return }
        let average = try checkpoint.openEMA()
        let moved = zip(parameters + tables, targets).filter { $0.1 != nil }
        let wanted = moved.map { WantedTensor("ema/" + $0.0.name, $0.0.shape, isInteger: $0.0.isInteger) }
        let found = try average.tensors.fitted(to: wanted, from: average.path)
        for case (let tensor?, let target?) in zip(found, moved.map(\.1)) { try tensor.copy(into: target) }
    }
}

extension Checkpoint {
    /// The EMA weights, which a run may not have kept.
    func openEMA() throws(CheckpointError) -> Safetensors {
        guard holds(.average) else {
            throw CheckpointError(
                .mismatched, at: path, found: "no EMA weights", expected: "ema.safetensors",
                hint: "the run kept no average: leave --ema out")
        }
        return try open(.average)
    }
}
