import Autodiff
import Kernels
import Layers
import Models
import Objectives
import Recipes

/// The encoder's vector of an image predicts the mean colour of the image, squared error.
struct MeanColour: Objective {
    static let kind = "mean_colour"
    static let encoderPrefix = "encoder."

    struct Settings: RecipeSection {
        let hidden: Int

        static let meanings = ["hidden": "Units between the encoder's vector and the colour."]

        func check(_ here: Here) {
            here.requirePositive(["hidden": hidden])
        }
    }

    let encoder: any Encoder
    private let image: ImageSpec
    private let first, second: Linear

    init(
        _ settings: Settings, _ model: any EncoderSettings, _ scope: Scope, _ input: InputSpec
    ) throws(ModelError) {
        encoder = try model.encoder(scope["encoder"], image: input.image, for: .classification)
        image = input.image
        let normal = Initializer.truncatedNormal(std: 0.02, cut: 2)
        first = Linear(scope["head"][0], encoder.grid.width, settings.hidden, init: normal)
        second = Linear(scope["head"][1], settings.hidden, input.image.channels, init: normal)
    }

    func inputs(_ graph: Graph, batch: Int) -> BatchTensors {
        BatchTensors(images: graph.input("images", [batch, image.side, image.side, image.channels]))
    }

    func loss(_ batch: BatchTensors) -> Loss {
        let pixels = PixelPatches(height: 1, width: 1)(batch.images)
        let colour = MeanPooling(0..<pixels.shape[1])(pixels)
        let sum = SquaredError()(second(first(encoder.pooled(batch.images))), colour)
        return Loss(sum: sum, weight: Constant(Double(batch.images.shape[0]))(in: sum.graph))
    }

    var decay: DecayRule { encoder.weightDecay(for: .pretraining).inside(Self.encoderPrefix) }
}

/// Σ (x − t)² in Double. x, t: the same shape; out: (1). Keeps inputs; a target gets no gradient.
struct SquaredError: Operation {
    func callAsFunction(_ x: Tensor, _ target: Tensor) -> Tensor { x.apply(self, target) }

    var keeps: Kept { .inputs }

    func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        guard shapes[0] == shapes[1] else {
            throw ShapeError("target \(shapes[1]) for \(shapes[0])")
        }
        return [1]
    }

    func forward(_ at: Workspace) {
        var sum = 0.0
        for index in 0..<at.inputs[0].count {
            let error = Double(at.inputs[0][index] - at.inputs[1][index])
            sum += error * error
        }
        at.output[0] = Float(sum)
    }

    func backward(_ at: Workspace) {
        guard let dx = at.inputGradients[0] else { return }
        let factor = 2 * at.outputGradient[0]
        at.pool.copy(at.inputs[0], into: dx, adding: at.adds[0], scale: factor)
        at.pool.copy(at.inputs[1], into: dx, adding: true, scale: -factor)
    }
}
