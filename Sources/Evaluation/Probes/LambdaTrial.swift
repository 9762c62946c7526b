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
            let source = try recipe.evaluationSource()
            measured = min(images, source.count)
            let model = try LoadedModel(
                recipe, samples: min(16, measured), classes: source.classes?.count ?? 0, weights: .initial(), pool: pool
            )
            for tensor in try ImportedModel(weights, into: recipe, pool: pool).tensors {
                if let values = model.store.value(tensor.name) { try tensor.copy(into: values) }
            }
            results.append(Result(lambda: lambda, loss: try Self.loss(model, source, images: measured)))
        }
        (self.results, self.images) = (results, measured)
    }

    /// The mean loss over the first samples of the choice, each with a mask of its own.
    private static func loss(_ model: LoadedModel, _ source: any SampleSource, images: Int) throws -> Double {
        let loss = model.experiment.loss
        let plan = try model.plan(keeping: [loss.sum, loss.weight])
        let choice = Choice(of: images, from: source, seed: model.recipe.seed)
        var (sum, weight) = (0.0, 0.0)
        // Empty slots mask nothing and so count nothing.
        try model.forEachBatch(of: choice, masked: true) { batch, _, _ in
            model.forward(plan, batch.images, masks: batch.masks)
            sum += Double(plan.value(of: loss.sum)[0])
            weight += Double(plan.value(of: loss.weight)[0])
        }
        return sum / weight
    }
}
