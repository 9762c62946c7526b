import Autodiff
import Batches
import Checkpoints
public import Kernels
import Objectives
public import Recipes
import Training

/// Which λ the weights of a CRATE-MAE were trained with: they do not say it, and its code had two. The masked loss over
/// the same samples and masks is lower with the right one.
public struct LambdaTrial: Sendable {
    /// The argument's default, and the constant of the first version.
    public static let published = [0.5, 5]

    public struct Result: Equatable, Sendable {
        public let lambda, loss: Double
    }

    public let results: [Result]
    public let images: Int
    /// The first of those with the lowest loss.
    public var best: Double { results.min { $0.loss < $1.loss }?.lambda ?? Self.published[0] }

    /// - Parameter recipe: gives the recipe with a λ.
    public init(
        _ weights: ThirdPartyWeights, images: Int = 256, pool: WorkerPool, _ recipe: (_ lambda: Double) throws -> Recipe
    ) throws {
        var (results, measured) = ([Result](), 0)
        for lambda in Self.published {
            let recipe = try recipe(lambda)
            let tensors =
                try ImportedModel(weights, into: recipe, pool: pool).content(program: "").tensors[.model] ?? []
            let source = try recipe.evaluationSource()
            measured = min(images, source.count)
            results.append(
                Result(
                    lambda: lambda, loss: try Self.loss(recipe, source, tensors: tensors, images: measured, pool: pool))
            )
        }
        (self.results, self.images) = (results, measured)
    }

    /// The mean loss over the first samples of the choice, each with a mask of its own.
    private static func loss(
        _ recipe: Recipe, _ source: any SampleSource, tensors: [StoredTensor], images: Int, pool: WorkerPool
    ) throws -> Double {
        let experiment = try Experiment(recipe, samples: min(16, images), classes: source.classes?.count ?? 0)
        let store = ParameterStore(experiment.graph, minimising: nil, seed: recipe.seed, pool: pool)
        for tensor in tensors { if let values = store.value(tensor.name) { try tensor.copy(into: values) } }
        let plan = try Plan(
            experiment.graph, minimising: nil, keeping: [experiment.loss.sum, experiment.loss.weight], store: store,
            pool: pool)
        let choice = Choice(of: images, from: source, seed: recipe.seed)
        let sampler = try Sampler(
            count: choice.count, globalBatch: experiment.batch.images.shape[0], order: .stored)
        let loader = try Loader(
            choice, sampler, BatchCut(),
            recipe.loaderSettings(recipe.evaluationTransform, hiding: experiment.objective.hiding),
            updates: 0..<sampler.updatesPerEpoch)
        defer { loader.stop() }
        var (sum, weight) = (0.0, 0.0)
        for _ in 0..<sampler.updatesPerEpoch {
            let batch = try loader.next()
            plan.set(experiment.batch.images, batch.images)
            // Empty slots hide nothing and so count nothing.
            if let mask = experiment.batch.mask { plan.set(mask, batch.masks) }
            plan.forward()
            sum += Double(plan.value(of: experiment.loss.sum)[0])
            weight += Double(plan.value(of: experiment.loss.weight)[0])
            loader.release(batch)
        }
        return sum / weight
    }
}
