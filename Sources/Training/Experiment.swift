public import Autodiff
public import Batches
import Kernels
import Layers
import Models
public import Objectives
public import Recipes

/// A recipe's model and method, recorded as a graph for one batch size.
public struct Experiment {
    public let recipe: Recipe
    public let objective: any Objective
    public let graph: Graph
    public let batch: BatchTensors
    public let loss: Loss
    /// Of the data; 0 without labels.
    public let classes: Int
    /// What an online probe reads, (B, F): the mean of the features on the way. Nil where the recipe has none.
    public let probed: Tensor?
    /// That are trained in turns: two under ELR+.
    public var networks: Int { objective.earlyLearning?.networks ?? 1 }

    /// - Parameters:
    ///   - samples: of one micro-batch on one rank.
    ///   - classes: of the data; 0 without labels.
    ///   - grid: of the data, where it is tokens; nil where a model is only planned.
    public init(_ recipe: Recipe, samples: Int, classes: Int, tokens grid: TokenGrid? = nil) throws {
        let graph = Graph()
        let image = ImageSpec(side: recipe.images.size, channels: recipe.tokens == nil ? 3 : 1)
        objective = try Catalog.objective(
            recipe, graph.scope, InputSpec(image: image, classes: classes, tokens: recipe.tokenSpec(grid)))
        batch = objective.inputs(graph, batch: samples)
        loss = objective.loss(batch)
        probed =
            recipe.onlineProbe == nil ? nil : loss.features.map { MeanPooling(0..<$0.shape[1])($0) }
        self.classes = classes
        self.graph = graph
        self.recipe = recipe
    }
}
