public import Autodiff
import Kernels
import Layers
public import Models
public import Recipes

/// Learns to write images as grids of ids: encoder, quantiser and decoder, trained to give the pixels back. The loss is the mean
/// square of the error, a share of its mean size, and the commitment of vectors to their codes; pixels are 0...1.
/// Source: arXiv 2110.04627 without its perceptual and adversarial terms.
public struct VQTokenizer: Objective {
    public static let kind = "vq_tokenizer"
    public static let phase = Recipe.Kind.tokenizer

    public let settings: Settings
    public static let encoderPrefix = "encoder."
    public let input: InputSpec
    public let quantizer: VectorQuantizer
    private let tokenizer: TokenizerEncoder
    private let decoder: TokenizerDecoder
    private let before, after: Linear

    public init(
        _ settings: Settings, _ model: any EncoderSettings, _ scope: Scope, _ input: InputSpec
    ) throws(ModelError) {
        guard let model = model as? TokenizerEncoder.Settings else {
            throw ModelError(
                "model.kind", found: "another encoder", expected: TokenizerEncoder.Settings.kind,
                hint: "the tokenizer trains the encoder that is made for it")
        }
        let quantizing = settings.quantizerSettings
        let (width, codeWidth) = (model.sizes.width, quantizing.width)
        tokenizer = try TokenizerEncoder(scope["encoder"], model, image: input.image)
        decoder = TokenizerDecoder(
            scope["decoder"], model, side: tokenizer.grid.side, channels: input.image.channels)
        quantizer = VectorQuantizer(scope["quantizer"], quantizing)
        before = .framework(scope["pre_quant"], width, codeWidth)
        after = .framework(scope["post_quant"], codeWidth, width)
        (self.settings, self.input) = (settings, input)
    }

    public var encoder: any Encoder { tokenizer }

    public func inputs(_ graph: Graph, batch: Int) -> BatchTensors {
        let image = input.image
        return BatchTensors(images: graph.input("images", [batch, image.side, image.side, image.channels]))
    }

    /// The vectors before the quantiser and what it makes of them.
    public func tokens(_ images: Tensor) -> (vectors: Tensor, output: VectorQuantizer.Output) {
        let vectors = before(tokenizer(images))
        return (vectors, quantizer(vectors))
    }

    /// Pixels (B, n·n, C·p·p) from code vectors (B, n·n, D).
    public func pixels(_ codes: Tensor) -> Tensor { decoder(after(codes)) }

    public func loss(_ batch: BatchTensors) -> Loss {
        let output = tokens(batch.images).output
        return loss(of: pixels(output.values), output, batch)
    }

    /// - Parameter pixels: those made of `output`'s values.
    public func loss(of pixels: Tensor, _ output: VectorQuantizer.Output, _ batch: BatchTensors) -> Loss {
        let target = Patchify(patch: tokenizer.settings.patch)(batch.images)
        let error = PixelLoss(absolute: settings.absoluteError)(pixels, target)
        let graph = batch.images.graph
        let squares = PixelLoss(absolute: 0)(pixels, target)
        var loss = Loss(
            sum: output.loss.map { Add()(error, $0) } ?? error,
            weight: Constant(Double(batch.images.shape[0]))(in: graph))
        loss.quantized = Loss.Quantized(output: output, squaredError: squares)
        return loss
    }

    public func reconstruction(_ batch: BatchTensors) -> PixelRows? {
        PixelRows(rows: pixels(tokens(batch.images).output.values), side: tokenizer.settings.patch)
    }

    public func hooks(_ context: HookContext) throws -> [any StepHook] {
        try context.loss.quantized.map { [try CodebookTraining(self, $0, context)] } ?? []
    }

    public var writtenGrid: (side: Int, codes: Int)? { (tokenizer.grid.side, quantizer.settings.codes) }

    public var decay: DecayRule { tokenizer.weightDecay(for: .pretraining) }
}

extension VQTokenizer {
    /// Rules with the pixels and the length of the run.
    public static func check(_ settings: Settings, _ recipe: Recipe, _ here: Here) {
        let (all, normalize) = (here.recipe, recipe.images.normalize)
        all.require(
            normalize.mean.allSatisfy { $0 == 0 } && normalize.std.allSatisfy { $0 == 1 }, at: "images.normalize",
            reading: ["objective.kind"], "mean 0 and std 1 expected: a tokenizer reads and writes pixels 0 to 1")
        let isMoved = [.averageCosine, .averageDistance].contains(settings.quantizer)
        if isMoved, let updates = recipe.schedule.updates {
            all.require(
                settings.startUpdates < updates, at: "objective.start_updates", reading: ["schedule.updates"],
                "\(settings.startUpdates) updates without quantisation leave none of the run's \(updates)")
        }
    }
}
