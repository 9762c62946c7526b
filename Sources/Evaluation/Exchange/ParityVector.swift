import Autodiff
import FoundationEssentials
import Kernels
import Layers
import Models
import Objectives
import Recipes
import Training

/// A model's output for one image that a formula draws: two programs that agree on it hold the same model.
public struct ParityVector: Sendable, Equatable, Codable {
    public enum Output: String, Sendable, Codable {
        /// Class scores before softmax.
        case logits
        /// Mean over the last features of an encoder, nothing masked: `num_classes=0` and average pooling in timm.
        case features
    }

    /// Value of channel c at row y, column x of the image, as the network reads it: normalised already.
    /// Whole numbers until the last division by a power of two, so every program gets the same bits.
    public static let formula = "((37*c + 17*y + 29*x + x*y) % 256 - 128) / 64"

    public let output: Output
    public let formula: String
    /// Height and width of the image.
    public let side: Int
    public let values: [Float]

    public init(_ output: Output, side: Int, _ values: [Float]) {
        (self.output, self.side, self.values) = (output, side, values)
        formula = Self.formula
    }

    /// From the metadata of a file; nil where there is none, or one of another image.
    public init?(metadata: [String: String]) {
        guard let text = metadata["parity"],
            let stored = try? JSONDecoder().decode(ParityVector.self, from: Data(text.utf8)),
            stored.formula == Self.formula
        else { return nil }
        self = stored
    }

    /// The image, (side, side, channels).
    public static func image(side: Int, channels: Int) -> [Float] {
        var pixels: [Float] = []
        pixels.reserveCapacity(side * side * channels)
        for y in 0..<side {
            for x in 0..<side {
                for c in 0..<channels { pixels.append(Float((37 * c + 17 * y + 29 * x + x * y) % 256 - 128) / 64) }
            }
        }
        return pixels
    }

    /// Largest difference of a value, and the largest magnitude of those compared with; nil where they are not of the
    /// same thing.
    public func difference(from other: ParityVector) -> (largest: Float, scale: Float)? {
        guard output == other.output, side == other.side, values.count == other.values.count else { return nil }
        let largest = zip(values, other.values).reduce(Float(0)) { worst, pair in
            let distance = abs(pair.0 - pair.1)
            return distance.isNaN ? .infinity : max(worst, distance)
        }
        return (largest, other.values.reduce(0) { max($0, abs($1)) })
    }
}

extension LoadedModel {
    /// Prefix of the names inside the encoder.
    var encoderPrefix: String { type(of: objective).encoderPrefix }

    /// Names of the parameters and running numbers inside the encoder, without the prefix.
    func encoderNames() throws -> [String] {
        let graph = Graph()
        let use: EncoderUse = recipe.kind == .finetune ? .classification : .pretraining
        let image = ImageSpec(side: images.shape[1], channels: images.shape[3])
        _ = try Catalog.encoder(of: recipe).encoder(graph.scope, image: image, for: use)
        return graph.parameters.map(\.name) + graph.buffers.filter { !$0.isConstant }.map(\.name)
    }

    /// Output of the present weights for the image of the formula. The model is recorded for one image.
    func parity() throws -> ParityVector {
        let (side, channels) = (images.shape[1], images.shape[3])
        let logits = objective.logits(images)
        guard let last = objective.encoder.outputs(images).last else { preconditionFailure("an encoder has an output") }
        let result = logits ?? MeanPooling(0..<last.patches.shape[1])(last.patches)
        let plan = try plan(keeping: [result])
        forward(plan, Floats(ParityVector.image(side: side, channels: channels)))
        return ParityVector(logits == nil ? .features : .logits, side: side, plan.value(of: result).array)
    }
}
