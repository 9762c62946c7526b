import Autodiff
import Kernels
import Layers
import Models
import Objectives
import Recipes

/// A recipe's model, recorded for one image: to fill it with weights and see what it makes of that image.
struct RecordedModel {
    let recipe: Recipe
    let objective: any Objective
    let store: ParameterStore
    private let graph: Graph
    private let images, result: Tensor
    private let output: ParityVector.Output
    private let pool: WorkerPool

    /// Weights stand at their start.
    /// - Parameter classes: of the head; 0 for a method without one.
    init(_ recipe: Recipe, classes: Int, pool: WorkerPool) throws {
        let (graph, image) = (Graph(), ImageSpec(side: recipe.images.size))
        objective = try Catalog.objective(recipe, graph.scope, InputSpec(image: image, classes: classes))
        images = graph.input("images", [1, image.side, image.side, image.channels])
        if let classifier = objective as? Classification {
            (output, result) = (.logits, classifier.predict(images).logits)
        } else {
            guard let last = objective.encoder.outputs(images).last else {
                preconditionFailure("an encoder has an output")
            }
            (output, result) = (.features, MeanPooling(0..<last.patches.shape[1])(last.patches))
        }
        store = ParameterStore(graph, minimising: nil, seed: recipe.seed, pool: pool)
        (self.recipe, self.graph, self.pool) = (recipe, graph, pool)
    }

    /// What stands before a parameter's name inside the encoder.
    var encoderPrefix: String { type(of: objective).encoderPrefix }

    /// Side of the input and its channels.
    var image: ImageSpec { ImageSpec(side: images.shape[1], channels: images.shape[3]) }

    /// Names of the parameters and running numbers inside the encoder, without the prefix.
    func encoderNames() throws -> [String] {
        let graph = Graph()
        let use: EncoderUse = objective is Classification ? .classification : .pretraining
        _ = try Catalog.encoder(of: recipe).encoder(graph.scope, image: image, for: use)
        return graph.parameters.map(\.name) + graph.buffers.filter { !$0.isConstant }.map(\.name)
    }

    /// What the weights of the moment give.
    func parity() throws -> ParityVector {
        let plan = try Plan(graph, minimising: nil, keeping: [result], store: store, pool: pool)
        for site in graph.dropPaths {
            plan.set(site.factors, Floats([Float](repeating: 1, count: site.factors.shape.count)))
        }
        plan.set(images, Floats(ParityVector.image(side: image.side, channels: image.channels)))
        plan.forward()
        return ParityVector(output, side: image.side, plan.value(of: result).array)
    }
}
