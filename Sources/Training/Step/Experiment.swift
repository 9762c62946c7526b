public import Autodiff
import Kernels
import Layers
import Models
public import Objectives
public import Recipes

/// A recipe's model and method, recorded as a graph for one batch size.
public struct Experiment {
    public let recipe: Recipe
    let catalog: Catalog
    public let objective: any Objective
    public let graph: Graph
    public let batch: BatchTensors
    /// Of the method alone.
    public let loss: Loss
    /// The method's loss with the distances from a guide; nil without one.
    public let guided: GuidedRecording?
    /// Of the data; 0 without labels.
    public let classes: Int
    /// What an online probe reads, (B, F): the mean of the features on the way. Nil where the recipe has none.
    public let probed: Tensor?
    /// That are trained in turns: two under ELR+.
    public var networks: Int { objective.earlyLearning?.networks ?? 1 }

    /// - Parameters:
    ///   - samples: of one micro-batch on one rank.
    ///   - classes: of the data; 0 without labels.
    ///   - rank: of a run that trains; without it nobody learns, and there is no guide.
    ///   - catalog: where the recipe's method and models stand.
    public init(
        _ recipe: Recipe, samples: Int, classes: Int, training rank: Int? = nil, from catalog: Catalog = .own
    ) throws {
        let graph = Graph()
        let objective = try catalog.objective(recipe, graph.scope, InputSpec(recipe, classes: classes))
        batch = objective.inputs(graph, batch: samples)
        if let rank, let guidance = try catalog.guidance(recipe, objective) {
            let accumulation = recipe.batch.gradAccumSteps
            let ranks = recipe.batch.global / samples / accumulation
            guard accumulation == 1 || guidance.settings.scope == .local || samples % guidance.settings.ckaBatch == 0
            else {
                throw ModelError(
                    "guidance.cka_batch", found: "\(guidance.settings.ckaBatch)",
                    expected: "a divisor of the \(samples) samples of a rank's micro-batch",
                    hint: "with accumulation the micro-batches of two ranks are not neighbours")
            }
            guided = try guidance.record(objective, batch, rank: rank, ranks: ranks)
        } else {
            guided = nil
        }
        loss = guided?.loss ?? objective.loss(batch)
        self.objective = objective
        probed =
            recipe.onlineProbe == nil ? nil : loss.features.map { MeanPooling(0..<$0.shape[1])($0) }
        self.classes = classes
        self.graph = graph
        (self.recipe, self.catalog) = (recipe, catalog)
    }

    /// What training makes smaller.
    public var minimised: Tensor { guided?.total ?? loss.sum }
}
