public import Autodiff
import Kernels
import Layers

/// A ViT in the form of BEiT: no key bias, relative position bias with a class token, layer scale. With a key bias,
/// absolute positions and no layer scale it is the original ViT (arXiv 2010.11929) as timm names it.
/// Names, order of declaration and initialization are those of microsoft/SimMIM. Source: arXiv 2106.08254.
public struct VisionTransformer: MaskedEncoder {
    /// The values on the way through the network that something outside may want to read.
    public struct Encoding {
        /// Patches before masking, (B, N, E).
        public let patches: Tensor
        /// Input of the first block, (B, N + 1, E); the class token comes first.
        public let tokens: Tensor
        /// The bias that all blocks share, (heads, N + 1, N + 1).
        public let sharedBias: Tensor?
        /// The output of each block, (B, N + 1, E).
        public let blocks: [Tensor]
        /// Tokens after the final norm if there is one, (B, N + 1, E).
        public let output: Tensor
    }

    public let settings: Settings
    public let grid: FeatureGrid
    private let classToken: ClassToken
    private let positions: PositionTable?
    private let maskToken: MaskToken?
    private let patchEmbedding: PatchEmbedding
    private let sharedBias: RelativePositionBias?
    private let blocks: [VisionBlock]
    private let norm: LayerNorm?
    private let poolingNorm: LayerNorm?

    public init(_ scope: Scope, _ settings: Settings, image: ImageSpec, for use: EncoderUse) throws(ModelError) {
        try settings.check(image)
        let (width, side) = (settings.width, image.side / settings.patch)
        let initializer = Self.initializer(for: use)
        self.settings = settings
        grid = FeatureGrid(side: side, stride: settings.patch, width: width)
        classToken = ClassToken(scope, width, init: initializer)
        positions =
            settings.usesAbsolutePositions
            ? PositionTable(scope, name: "pos_embed", tokens: side * side + 1, channels: width, init: initializer) : nil
        maskToken = use == .pretraining ? MaskToken(scope, width, init: initializer) : nil
        patchEmbedding = PatchEmbedding(
            scope["patch_embed"], channels: image.channels, patch: settings.patch, width: width, init: initializer)
        sharedBias =
            settings.usesSharedPositionBias
            ? RelativePositionBias(
                scope["rel_pos_bias"], .classToken(side: side), heads: settings.heads, init: .zeros) : nil
        let dropRates = DropPath.rates(upTo: settings.dropPathRate, count: settings.depth)
        blocks = (0..<settings.depth).map { index in
            VisionBlock(
                scope["blocks"][index], settings, index: index, side: side, init: initializer,
                dropRate: dropRates[index])
        }
        norm = settings.usesMeanPooling ? nil : LayerNorm(scope["norm"], width, epsilon: settings.epsilon)
        poolingNorm =
            settings.usesMeanPooling && use == .classification
            ? LayerNorm(scope["fc_norm"], width, epsilon: settings.epsilon) : nil
    }

    /// Runs the blocks over images (B, H, W, C).
    /// - Parameter mask: one number per patch, 1 = replaced by the mask token; only in pre-training.
    public func encode(_ images: Tensor, mask: Tensor? = nil) -> Encoding {
        let patches = patchEmbedding(images)
        var x = patches
        if let mask {
            guard let maskToken else { preconditionFailure("a classifier has no mask token") }
            x = maskToken(x, mask: mask)
        }
        x = classToken(x)
        if let positions { x = positions(x) }
        let tokens = x
        let bias = sharedBias?(in: images.graph)
        var outputs: [Tensor] = []
        for (index, block) in blocks.enumerated() {
            x = x.graph.block { block(x, sharedBias: bias) }.feature(.block, "blocks.\(index)")
            outputs.append(x)
        }
        return Encoding(patches: patches, tokens: tokens, sharedBias: bias, blocks: outputs, output: norm?(x) ?? x)
    }

    /// One feature vector per patch in row-major order, (B, N, E).
    public func features(of encoding: Encoding) -> Tensor {
        TokenRange(1..<grid.side * grid.side + 1)(encoding.output)
    }

    public var patch: Int { settings.patch }

    public func features(_ images: Tensor, mask: Tensor) -> Tensor { features(of: encode(images, mask: mask)) }

    public func outputs(_ images: Tensor) -> [FeatureMap] {
        let encoding = encode(images)
        let names = encoding.blocks.indices.dropLast().map { "blocks.\($0)" } + ["output"]
        return zip(names, encoding.blocks.dropLast() + [encoding.output]).map { name, tokens in
            FeatureMap(
                name, patches: TokenRange(1..<grid.side * grid.side + 1)(tokens), classToken: MeanPooling(0..<1)(tokens)
            )
        }
    }

    public func pooled(_ images: Tensor) -> Tensor {
        let encoding = encode(images)
        guard settings.usesMeanPooling else { return MeanPooling(0..<1)(encoding.output).feature(.pooled, "pooled") }
        let mean = MeanPooling(1..<grid.side * grid.side + 1)(encoding.output)
        return (poolingNorm?(mean) ?? mean).feature(.pooled, "pooled")
    }

    public var headInit: Initializer { .scaled(.normal(std: 0.02), by: 0.001) }

    private static func initializer(for use: EncoderUse) -> Initializer {
        switch use {
        // Cut at one standard deviation: the reference passes it as the bound.
        case .pretraining: .truncatedNormal(std: 0.02, cut: 0.02)
        // The reference cuts at 100 standard deviations, which is not at all.
        case .classification: .normal(std: 0.02)
        }
    }
}

extension VisionTransformer {
    public var leadingTokens: Int { 1 }

    /// The attention and the MLP of each block.
    public func isReferenceFeature(_ layer: String) -> Bool {
        layer.hasSuffix("attn.proj") || layer.hasSuffix("mlp.fc2")
    }

    public var layers: LayerDecay { .simMIMViT(depth: settings.depth) }

    public func weightDecay(for use: EncoderUse) -> DecayRule { .simMIMViT }

    /// Blocks with tables of their own take the one that all shared. Tables follow the grid.
    public func converted(_ stored: [String: StoredWeights]) -> [String: StoredWeights] {
        var weights = stored.filter { !PositionBiasResampling.isDerived($0.key) }
        let part = "relative_position_bias_table"
        let (shared, own) = ("rel_pos_bias.\(part)", (0..<settings.depth).map { "blocks.\($0).attn.\(part)" })
        if settings.usesBlockPositionBias, !settings.usesSharedPositionBias, let table = weights[shared] {
            for name in own { weights[name] = table }
            weights[shared] = nil
        }
        // A class token's three rows have no offset.
        for name in own + [shared] {
            weights.resampleBiases(name, side: 2 * grid.side - 1, heads: settings.heads, others: 3)
        }
        weights.resamplePositions("pos_embed", grid: grid.side, width: settings.width)
        return weights
    }
}

extension VisionTransformer.Settings: EncoderSettings {
    public func encoder(_ scope: Scope, image: ImageSpec, for use: EncoderUse) throws(ModelError) -> any Encoder {
        try VisionTransformer(scope, self, image: image, for: use)
    }

    public var lineage: [String: String] {
        ["width": "\(width)", "depth": "\(depth)", "heads": "\(heads)", "patch": "\(patch)"]
    }
}
