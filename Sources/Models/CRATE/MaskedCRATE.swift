public import Autodiff
import Kernels
import Layers

/// The encoder of CRATE-MAE: mask tokens enter before the first layer, positions are fixed sines and cosines that mask
/// tokens get too, and a norm follows the last layer. Names, order of declaration and initialization are those of
/// Ma-Lab-Berkeley/CRATE; its `pos_embed` is stored and read by nothing. Source: arXiv 2404.02446.
public struct MaskedCRATE: SubspaceEncoder, MaskedEncoder {
    public struct Settings: Sendable, Equatable {
        public var sizes: CRATESizes
        /// Side of a patch in pixels.
        public var patch: Int
        /// η of ISTA.
        public var step = 0.1
        /// λ of ISTA. The reference's code began with 5 and went on with 0.5; its weights do not say which they had.
        public var threshold = 0.5
        /// Input of a classifier's head: the normed class token, or a norm of the mean over patches.
        public var pooling = TokenPooling.classToken

        public init(_ sizes: CRATESizes, patch: Int) {
            self.sizes = sizes
            self.patch = patch
        }
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

extension MaskedCRATE.Settings: EncoderSettings {
    public func encoder(_ scope: Scope, image: ImageSpec, for use: EncoderUse) throws(ModelError) -> any Encoder {
        try MaskedCRATE(scope, self, image: image, for: use)
    }

    public var lineage: [String: String] { sizes.lineage(patch: patch, step: step, threshold: threshold) }
}
