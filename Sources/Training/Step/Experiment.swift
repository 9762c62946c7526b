public import Autodiff
import Kernels
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
    /// The method's own.
    public let loss: Loss
    /// Sections of the recipe that hook into the steps.
    public let parts: [any HookPart]
    /// Classes of the data; 0 without labels.
    public let classes: Int

    /// - Parameters:
    ///   - samples: of one micro-batch on one rank.
    ///   - classes: of the data; 0 without labels.
    ///   - rank: of a run that trains; without it nobody learns, and there is no guide.
    ///   - catalog: where the recipe's method and models stand.
    public init(
        _ recipe: Recipe, samples: Int, classes: Int, training rank: Int? = nil, from catalog: Catalog = .own
    ) throws {
        graph = Graph()
        objective = try catalog.objective(recipe, graph.scope, classes: classes)
        batch = objective.inputs(graph, batch: samples)
        let step = StepRecording(recipe, objective, batch, classes: classes, rank: rank, catalog: catalog)
        parts = try catalog.hooks.compactMap { try $0.init(step) }
        loss = step.loss
        self.classes = classes
        (self.recipe, self.catalog) = (recipe, catalog)
    }

    /// What training makes smaller.
    public var minimised: Tensor { parts.compactMap(\.minimised).last ?? loss.sum }

    /// Values that can be read after a step.
    var kept: [Tensor] { [loss.sum, loss.weight] + parts.flatMap(\.reads) }
}
