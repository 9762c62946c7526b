public import Autodiff
public import Batches
public import Kernels
import Layers
public import Models
public import Recipes

/// Learns TokenAdapt: the tokens of an image, turned into features, moved and turned back, are to be the tokens of the
/// moved image; mean cross entropy over all places. A tokenizer that stands still gives both. Its inputs are code vectors,
/// the movements in the place of a mask, and the ids of the moved image in the place of targets.
/// Source: arXiv 2312.10105, which tells the idea; the settings are ours.
public struct TokenAdaptation: Objective {
    public static let kind = "token_adapt"

    public struct Settings: RecipeSection, Equatable {
        /// Where the ids come from.
        public let tokenizer, tokens: String
        /// K and D of the token set.
        public let codebookSize, codeDim: Int
        /// Pixels along the side of a token, and tokens along the side of a moved image.
        public let patchSize, size: Int
        public let scale: [Double]
        public let identity: Double

        public static let meanings = [
            "tokenizer": "The tokenizer: a run folder or a step of one.",
            "tokens": "A token set that it has written, whose codebook numbers the codes.",
            "codebook_size": "Codes of the set's codebook.",
            "code_dim": "Numbers of a code vector.",
            "patch_size": "Side of a token, pixels.",
            "size": "Side of the model's grid, tokens: what is left of an image after the crop.",
            "scale": "Smallest and largest share of an image's area that is cut out, above 0 to 1.",
            "identity": "Probability that nothing moves and the middle is cut out, 0 to 1; drawn for each update.",
        ]

        public func check(_ here: Here) {
            here.requirePositive([
                "codebook_size": codebookSize, "code_dim": codeDim, "patch_size": patchSize, "size": size,
            ])
            here.requireRange(scale, at: "scale", upTo: 1)
            here.requireProbability(["identity": identity])
        }
    }

    public let settings: Settings
    public static let encoderPrefix = "reverse_transform.0."
    public let input: InputSpec
    public let network: TokenAdapt

    public init(
        _ settings: Settings, _ model: any EncoderSettings, _ scope: Scope, _ input: InputSpec
    ) throws(ModelError) {
        guard let model = model as? TokenizerEncoder.Settings else {
            throw ModelError(
                "model.kind", found: "another encoder", expected: TokenizerEncoder.Settings.kind,
                hint: "TokenAdapt is made of small transformers of the tokenizer's kind")
        }
        guard input.image.side % settings.patchSize == 0 else {
            throw ModelError(
                "objective.patch_size", found: "\(settings.patchSize)",
                expected: "a divisor of images.size \(input.image.side)",
                hint: "it is the tokenizer's patch")
        }
        network = try TokenAdapt(
            scope,
            TokenAdapt.Settings(
                model.sizes, codes: settings.codebookSize, width: settings.codeDim,
                stored: input.image.side / settings.patchSize, size: settings.size))
        (self.settings, self.input) = (settings, input)
    }

    public var encoder: any Encoder { network.encoder }

    public func inputs(_ graph: Graph, batch: Int) -> BatchTensors {
        let (stored, size) = (network.settings.stored, settings.size)
        return BatchTensors(
            images: graph.input("vectors", [batch, stored, stored, settings.codeDim]),
            mask: graph.input("geometry", [batch, MapGeometry.floats]),
            targets: graph.input("ids", [batch, size, size, 1]))
    }

    /// The scores of all codes at the places of the moved images, (B, m·m, K).
    public func predict(_ batch: BatchTensors) -> Tensor {
        guard let geometry = batch.mask else { preconditionFailure("TokenAdapt takes movements with every batch") }
        let side = TokenAdapt.patch * settings.size
        return network.scores(AffineGridSample(side: side)(network.features(batch.images), geometry))
    }

    public func loss(_ batch: BatchTensors) -> Loss {
        guard let ids = batch.targets else { preconditionFailure("TokenAdapt takes ids with every batch") }
        return Loss(
            sum: MaskedCodeLoss(.crossEntropy(smoothing: 0), patch: 1)(predict(batch), ids),
            weight: Constant(Double(ids.shape.count))(in: ids.graph))
    }

    public func feed(
        _ loader: any BatchFeed, _ batch: BatchTensors, _ recipe: Recipe, _ grid: TokenGrid?, pool: WorkerPool
    ) throws -> any BatchFeed {
        try TokenAdaptFeed(loader, recipe, self, samples: batch.images.shape[0], pool: pool)
    }

    /// Nothing moves, and the ids to be found are 0 and 1.
    public func syntheticBatch(_ batch: BatchTensors, seed: UInt64, first: Int) -> Batch? {
        let (vectors, places) = (batch.images.shape, settings.size * settings.size)
        let side = TokenAdapt.patch * vectors[1]
        let batch = Batch(
            synthetic: BatchShape(
                size: vectors[0], height: vectors[1], width: vectors[2], channels: vectors[3],
                maskCount: MapGeometry.floats, targetClasses: places), seed: seed, first: first)
        let middle = MapGeometry(.centre(TokenAdapt.patch * settings.size, of: side), warps: [])
        for sample in 0..<vectors[0] { middle.write(to: batch.mask(sample)) }
        return batch
    }

    /// The specification says nothing of it; matrices decay as in pre-training on tokens.
    public var decay: DecayRule { .matrices }
}

extension TokenAdaptation {
    /// Rules with the image.
    public static func check(_ settings: Settings, _ recipe: Recipe, _ here: Here) {
        let side = recipe.images.size
        here.recipe.require(
            settings.patchSize >= 1 && side % settings.patchSize == 0, at: "objective.patch_size",
            reading: ["images.size"],
            "\(settings.patchSize) does not divide images.size \(side)")
        here.recipe.require(
            settings.patchSize < 1 || settings.size * settings.patchSize <= side, at: "objective.size",
            reading: ["objective.patch_size", "images.size"],
            "\(settings.size) tokens of \(settings.patchSize) pixels are more than images.size \(side)")
    }
}
