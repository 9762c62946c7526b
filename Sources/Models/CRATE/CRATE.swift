public import Autodiff
import Kernels
public import Layers
public import Recipes

/// An encoder of CRATE layers, which says what each of them does: a white box.
public protocol SubspaceEncoder: Encoder {
    var sizes: CRATESizes { get }
    var patches: PatchGrid { get }
    /// Runs the layers over images (B, H, W, C), nothing masked.
    func encode(_ images: Tensor) -> CRATEEncoding
}

/// The values on the way through an encoder of CRATE layers.
public struct CRATEEncoding {
    /// Embedded patches before masking, (B, N, d).
    public let patches: Tensor
    /// Input of the first layer, (B, N + 1, d); the class token comes first.
    public let tokens: Tensor
    public let layers: [CRATELayerValues]
    /// Tokens after the final norm if there is one, (B, N + 1, d).
    public let output: Tensor
}

extension SubspaceEncoder {
    public var grid: FeatureGrid { patches.features(width: sizes.width) }
    public var leadingTokens: Int { 1 }

    public func outputs(_ images: Tensor) -> [FeatureMap] {
        let encoding = encode(images)
        let names = encoding.layers.indices.dropLast().map { "blocks.\($0)" } + ["output"]
        return zip(names, encoding.layers.dropLast().map(\.output) + [encoding.output]).map { name, tokens in
            FeatureMap(name, patches: patchTokens(of: tokens), classToken: firstToken(of: tokens))
        }
    }

    /// (B, N, d)
    func patchTokens(of tokens: Tensor) -> Tensor { TokenRange(1..<patches.count + 1)(tokens) }
    /// (B, d)
    func firstToken(of tokens: Tensor) -> Tensor { MeanPooling(0..<1)(tokens) }
}

/// The CRATE classifier: patches in the order (row, column, channel), a norm on both sides of their embedding, learned
/// positions, layers of subspace attention and ISTA, and a norm before the head. Names, order of declaration and start
/// values are those of Ma-Lab-Berkeley/CRATE. Source: arXiv 2306.01129.
public struct CRATE: SubspaceEncoder {
    /// The model section of a recipe with `kind: crate`, the classifier: a named size, or embed_dim, depth and
    /// num_heads.
    public struct Settings: EncoderSettings, Equatable {
        public static let kind = "crate"

        private let preset: CRATESizes.Preset?
        private let embedDim, depth, numHeads, headDim: Int?
        /// Side of a patch in pixels.
        public let patch: Int
        /// η of ISTA.
        public var step = 0.1
        /// λ of ISTA.
        public var threshold = 0.1
        public var pooling = TokenPooling.classToken

        public init(_ sizes: CRATESizes, patch: Int) {
            (preset, embedDim, depth, numHeads) = (nil, sizes.width, sizes.depth, sizes.heads)
            (headDim, self.patch) = (sizes.headWidth, patch)
        }

        private enum CodingKeys: String, CodingKey {
            case preset, embedDim, depth, numHeads, headDim
            case patch = "patch_size"
            case step = "step_size"
            case threshold = "lambda"
            case pooling = "global_pool"
        }

        public var sizes: CRATESizes {
            CRATESizes(preset, width: embedDim, depth: depth, heads: numHeads, headWidth: headDim)
        }

        public static let defaults = ["step_size": "0.1"]
        public static let meanings = CRATESizes.meanings.merging(
            ["head_dim": "Channels of a subspace; without it embed_dim/num_heads."]) { first, _ in first }

        public func check(_ here: Here) {
            here.require(
                preset: preset,
                or: ["embed_dim": embedDim, "depth": depth, "num_heads": numHeads, "head_dim": headDim],
                optional: ["head_dim"])
            here.requirePositive(["embed_dim": embedDim, "depth": depth, "num_heads": numHeads, "head_dim": headDim])
            CRATESizes.check(patch: patch, lambda: threshold, stepSize: step, here)
        }

        public func check(_ recipe: Recipe, _ here: Here) { here.requirePatches(of: patch, recipe) }

        public func encoder(_ scope: Scope, image: ImageSpec, for use: EncoderUse) throws(ModelError) -> any Encoder {
            try CRATE(scope, self, image: image)
        }

        public var lineage: [String: String] { sizes.lineage(patch: patch, step: step, threshold: threshold) }
    }

    public let settings: Settings
    public let patches: PatchGrid
    private let patchNorm, embeddingNorm: LayerNorm
    private let embedding: Linear
    private let classToken: ClassToken
    private let positions: PositionTable
    private let layerStack: [CRATELayer]
    /// The norm before the head.
    package let headNorm: LayerNorm

    public init(_ scope: Scope, _ settings: Settings, image: ImageSpec) throws(ModelError) {
        try self.init(scope, settings, PatchGrid(image, patch: settings.patch))
    }

    /// - Parameter patches: grid over images of any shape; it takes the place of `settings.patch`.
    public init(_ scope: Scope, _ settings: Settings, _ patches: PatchGrid) throws(ModelError) {
        try settings.sizes.check()
        let sizes = settings.sizes
        (self.settings, self.patches) = (settings, patches)
        // Standard deviation 1, not 0.02.
        let tokenInit = Initializer.normal(std: 1)
        positions = PositionTable(
            scope, name: "pos_embedding", tokens: patches.count + 1, channels: sizes.width, init: tokenInit)
        classToken = ClassToken(scope, sizes.width, init: tokenInit)
        let part = scope["to_patch_embedding"]
        patchNorm = LayerNorm(part[1], patches.floats, epsilon: CRATESizes.epsilon)
        embedding = LinearInit.fanIn.linear(part[2], patches.floats, sizes.width)
        embeddingNorm = LayerNorm(part[3], sizes.width, epsilon: CRATESizes.epsilon)
        layerStack = (0..<sizes.depth).map { index in
            CRATELayer(
                scope["transformer"]["layers"][index], sizes, step: settings.step, threshold: settings.threshold,
                init: .fanIn)
        }
        headNorm = LayerNorm(scope["mlp_head"][0], sizes.width, epsilon: CRATESizes.epsilon)
    }

    public var sizes: CRATESizes { settings.sizes }

    public func encode(_ images: Tensor) -> CRATEEncoding {
        let pixels = PixelPatches(height: patches.height, width: patches.width)(images)
        let embedded = embeddingNorm(embedding(patchNorm(pixels)))
        let tokens = positions(classToken(embedded))
        let layers = layerStack.outputs(tokens)
        return CRATEEncoding(patches: embedded, tokens: tokens, layers: layers, output: layers.last?.output ?? tokens)
    }

    /// One vector per image before the head's norm, (B, d). The mean includes the class token.
    public func pooled(_ encoding: CRATEEncoding) -> Tensor {
        MeanPooling(settings.pooling == .mean ? 0..<patches.count + 1 : 0..<1)(encoding.output)
    }

    public func pooled(_ images: Tensor) -> Tensor { headNorm(pooled(encode(images))) }

    public var headInit: Initializer { .uniform(bound: 1 / Double(sizes.width).squareRoot()) }

    /// The norm before it, `mlp_head.0`, is started anew with it.
    public var headName: String { "mlp_head.1" }

    public func head(_ scope: Scope, classes: Int) -> Linear {
        LinearInit.fanIn.linear(scope[headName], sizes.width, classes)
    }
}

extension [CRATELayer] {
    /// The values of each layer when they run one after the other.
    func outputs(_ tokens: Tensor) -> [CRATELayerValues] {
        var values: [CRATELayerValues] = []
        for (index, layer) in enumerated() {
            let input = values.last?.output ?? tokens
            values.append(input.graph.block { layer(input) })
            values[index].output.feature(.block, "blocks.\(index)")
        }
        return values
    }
}

extension CRATE {
    /// Tokens, positions and patch embedding 0, layer i i + 1, the head last.
    public var layers: LayerDecay { .crate(depth: sizes.depth) }

    /// The published scripts have one group: norms, biases, tokens and positions have weight decay too.
    public func weightDecay(for use: EncoderUse) -> DecayRule { .everything }

    public func converted(_ stored: [String: StoredWeights]) -> [String: StoredWeights] {
        var weights = stored
        weights.resamplePositions("pos_embedding", grid: patches.rows, width: sizes.width)
        return weights
    }
}
