public import Autodiff
import Kernels
import Layers
public import Recipes

/// The encoder of CRATE-MAE: mask tokens enter before the first layer, positions are fixed sines and cosines that mask
/// tokens get too, and a norm follows the last layer. Names, order of declaration and initialization are those of
/// Ma-Lab-Berkeley/CRATE; its `pos_embed` is stored and read by nothing. Source: arXiv 2404.02446.
public struct MaskedCRATE: SubspaceEncoder, MaskedEncoder {
    /// The model section of a recipe with `kind: crate_mae`: a named size, or embed_dim, depth and num_heads.
    public struct Settings: EncoderSettings, Equatable {
        public static let kind = "crate_mae"

        private let preset: CRATESizes.Preset?
        private let embedDim, depth, numHeads: Int?
        /// Side of a patch in pixels.
        public let patch: Int
        /// η of ISTA.
        public var step = 0.1
        /// λ of ISTA. The reference's code began with 5 and went on with 0.5; its weights do not say which they had.
        public var threshold = 0.5
        /// Input of a classifier's head: the normed class token, or a norm of the mean over patches.
        public var pooling = TokenPooling.classToken

        /// - Parameter sizes: with subspaces that share the width.
        public init(_ sizes: CRATESizes, patch: Int) {
            (preset, embedDim, depth, numHeads, self.patch) = (nil, sizes.width, sizes.depth, sizes.heads, patch)
        }

        private enum CodingKeys: String, CodingKey {
            case preset, embedDim, depth, numHeads
            case patch = "patch_size"
            case step = "step_size"
            case threshold = "lambda"
            case pooling = "global_pool"
        }

        public var sizes: CRATESizes { CRATESizes(preset, width: embedDim, depth: depth, heads: numHeads) }

        public static let defaults = ["step_size": "0.1", "global_pool": "token"]
        public static let meanings = CRATESizes.meanings

        public func check(_ here: Here) {
            here.require(preset: preset, or: ["embed_dim": embedDim, "depth": depth, "num_heads": numHeads])
            here.requirePositive(["embed_dim": embedDim, "depth": depth, "num_heads": numHeads])
            CRATESizes.check(patch: patch, lambda: threshold, stepSize: step, here)
            if let embedDim {
                here.require(embedDim % 4 == 0, at: "embed_dim", "a multiple of 4 expected, found \(embedDim)")
            }
        }

        public func check(_ recipe: Recipe, _ here: Here) { here.requirePatches(of: patch, recipe) }

        public func encoder(_ scope: Scope, image: ImageSpec, for use: EncoderUse) throws(ModelError) -> any Encoder {
            try MaskedCRATE(scope, self, image: image, for: use)
        }

        public var lineage: [String: String] { sizes.lineage(patch: patch, step: step, threshold: threshold) }
    }

    public let settings: Settings
    public let patches: PatchGrid
    private let classToken: ClassToken
    private let maskToken: MaskToken?
    private let positions: PositionTable
    private let patchEmbedding: PatchEmbedding
    private let layerStack: [CRATELayer]
    private let norm: LayerNorm?
    private let poolingNorm: LayerNorm?

    /// Epsilon of the norms after the last layer.
    static let epsilon = 1e-6

    public init(_ scope: Scope, _ settings: Settings, image: ImageSpec, for use: EncoderUse) throws(ModelError) {
        try self.init(scope, settings, PatchGrid(image, patch: settings.patch), for: use)
    }

    /// - Parameter patches: grid of square patches over images of any shape. Where it is not square, the positions
    ///   have to be resampled from one.
    public init(_ scope: Scope, _ settings: Settings, _ patches: PatchGrid, for use: EncoderUse) throws(ModelError) {
        let sizes = settings.sizes
        try sizes.check()
        guard sizes.width % 4 == 0 else {
            throw ModelError(
                "model.embed_dim", found: "\(sizes.width)", expected: "a multiple of 4",
                hint: "positions are sines and cosines of rows and columns")
        }
        (self.settings, self.patches) = (settings, patches)
        let tokenInit = Initializer.normal(std: 0.02)
        let pretrains = use == .pretraining
        let table =
            patches.rows == patches.columns
            ? SinCosPositions.table(grid: patches.rows, width: sizes.width)
            : [Float](repeating: 0, count: (patches.count + 1) * sizes.width)
        classToken = ClassToken(scope, sizes.width, init: tokenInit)
        if pretrains { _ = scope.fixed("pos_embed", [1, patches.count + 1, sizes.width], table) }
        maskToken = pretrains ? MaskToken(scope, sizes.width, init: tokenInit) : nil
        positions = PositionTable(
            scope, fixed: Self.positionName, tokens: patches.count + 1, channels: sizes.width, table)
        patchEmbedding = PatchEmbedding(
            scope["patch_embed"], channels: patches.channels, patch: patches.height, width: sizes.width,
            init: .uniform(bound: (6 / Double(patches.floats + sizes.width)).squareRoot()),
            biasInit: .uniform(bound: 1 / Double(patches.floats).squareRoot()))
        layerStack = (0..<sizes.depth).map { index in
            CRATELayer(
                scope["blocks"][index]["layers"][0], sizes, step: settings.step, threshold: settings.threshold,
                init: .xavier)
        }
        let readsMean = !pretrains && settings.pooling == .mean
        norm = readsMean ? nil : LayerNorm(scope["norm"], sizes.width, epsilon: Self.epsilon)
        poolingNorm = readsMean ? LayerNorm(scope["fc_norm"], sizes.width, epsilon: Self.epsilon) : nil
    }

    public static let positionName = "decoder_pos_embed"
    public var sizes: CRATESizes { settings.sizes }

    public func encode(_ images: Tensor) -> CRATEEncoding { encode(images, mask: nil) }

    /// - Parameter mask: one number per patch, 1 = replaced by the mask token; only in pre-training.
    public func encode(_ images: Tensor, mask: Tensor?) -> CRATEEncoding {
        let embedded = patchEmbedding(images)
        var x = embedded
        if let mask {
            guard let maskToken else { preconditionFailure("a classifier has no mask token") }
            x = maskToken(x, mask: mask)
        }
        let tokens = positions(classToken(x))
        let layers = layerStack.outputs(tokens)
        let output = layers.last?.output ?? tokens
        return CRATEEncoding(patches: embedded, tokens: tokens, layers: layers, output: norm?(output) ?? output)
    }

    public var patch: Int { settings.patch }

    public func features(_ images: Tensor, mask: Tensor) -> Tensor {
        patchTokens(of: encode(images, mask: mask).output)
    }

    public func pooled(_ images: Tensor) -> Tensor {
        let output = encode(images).output
        guard let poolingNorm else { return firstToken(of: output) }
        return poolingNorm(MeanPooling(1..<patches.count + 1)(output))
    }

    public var headInit: Initializer { .truncatedNormal(std: 2e-5, cut: 2) }
}

extension MaskedCRATE {
    public var layers: LayerDecay { .maeViT(depth: sizes.depth) }

    /// Tokens have weight decay in pre-training; in fine-tuning the class token does not, as facebookresearch/mae has
    /// it.
    public func weightDecay(for use: EncoderUse) -> DecayRule { use == .pretraining ? .matrices : .mae }

    /// The names of the decoder lie beside those of the encoder; a classifier drops them.
    public func converted(_ stored: [String: StoredWeights]) -> [String: StoredWeights] {
        var weights = stored.filter { name, _ in
            maskToken != nil || name == Self.positionName || !(name.hasPrefix("decoder_") || name == "pos_embed")
        }
        for name in ["pos_embed", Self.positionName] {
            weights.resamplePositions(name, grid: patches.rows, width: sizes.width)
        }
        return weights
    }
}

/// The decoder of CRATE-MAE over the encoder's tokens, class token included: (B, N + 1, d) to the pixels of each patch,
/// (B, N, p²·C), in the order (row, column, channel). `decoder_embed` is stored and read by nothing, so the decoder is
/// as wide as the encoder. Names follow Ma-Lab-Berkeley/CRATE.
public struct CRATEDecoder {
    /// The values on the way.
    public struct Decoding {
        /// Values of each layer: after its linear map and at its end, (B, N + 1, d).
        public let layers: [(linear: Tensor, output: Tensor)]
        /// Tokens after the last norm, (B, N + 1, d).
        public let normed: Tensor
        public let pixels: Tensor
    }

    private let layers: [CRATEDecoderLayer]
    private let norm: LayerNorm
    private let prediction: Linear
    private let patches: PatchGrid

    public init(_ scope: Scope, _ sizes: CRATESizes, _ patches: PatchGrid) {
        _ = LinearInit.xavier.linear(scope["decoder_embed"], sizes.width, sizes.width)
        layers = (0..<sizes.depth).map { index in
            CRATEDecoderLayer(scope["decoder_blocks"][index]["layers"][0], sizes, init: .xavier)
        }
        norm = LayerNorm(scope["decoder_norm"], sizes.width, epsilon: MaskedCRATE.epsilon)
        prediction = LinearInit.xavier.linear(scope["decoder_pred"], sizes.width, patches.floats)
        self.patches = patches
    }

    public func callAsFunction(_ latent: Tensor) -> Decoding {
        var values: [(linear: Tensor, output: Tensor)] = []
        for layer in layers { values.append(layer(values.last?.output ?? latent)) }
        let normed = norm(values.last?.output ?? latent)
        // The class token predicts nothing; leaving it out before the map gives the same pixels.
        return Decoding(
            layers: values, normed: normed, pixels: prediction(TokenRange(1..<patches.count + 1)(normed)))
    }
}
