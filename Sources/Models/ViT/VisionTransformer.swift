public import Autodiff
import Kernels
import Layers
public import Recipes

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

extension VisionTransformer {
    /// Named sizes, all with heads of 64 channels; micro is for small images.
    public enum Size: String, CaseIterable, Sendable, Decodable {
        case micro, tiny, small, base, large

        public var width: Int {
            switch self {
            case .micro, .tiny: 192
            case .small: 384
            case .base: 768
            case .large: 1024
            }
        }
        public var depth: Int {
            switch self {
            case .micro: 6
            case .tiny, .small, .base: 12
            case .large: 24
            }
        }
        public var heads: Int {
            switch self {
            case .micro, .tiny: 3
            case .small: 6
            case .base: 12
            case .large: 16
            }
        }

        static let meaning =
            allCases.map { "\($0) \($0.width)/\($0.depth)/\($0.heads)" }.joined(separator: ", ")
            + " (embed_dim/depth/num_heads)."
    }

    /// The bias that a block's attention adds to queries, keys and values.
    public enum QKVBias: Sendable, Equatable {
        case none
        /// BEiT and SimMIM: `q_bias` and `v_bias`.
        case queryAndValue
        /// The original ViT, DeiT and MAE: `qkv.bias`. Softmax cancels the part of the keys, which so gets no gradient.
        case full
    }

    /// The model section of a recipe with `kind: vit`: a named size, or embed_dim, depth and num_heads.
    public struct Settings: EncoderSettings, Equatable {
        public static let kind = "vit"

        private let preset: Size?
        private let ownWidth, ownDepth, ownHeads: Int?
        /// Side of a patch in pixels.
        public let patch: Int
        /// Initial value of LayerScale, γ; nil = no LayerScale.
        public var layerScale: Double? = 0.1
        /// Drop rate of the last block, 0..<1; it grows linearly from 0.
        public var dropPathRate = 0.0
        public var usesAbsolutePositions = false
        /// A relative position bias of each block's own.
        public var usesBlockPositionBias = false
        /// One relative position bias for all blocks.
        public var usesSharedPositionBias = false
        /// Features are a norm of the mean over patches, or the class token after the final norm.
        public var pooling = TokenPooling.classToken
        private var keyBias: Bool?

        // Choices of the reference that no recipe has.
        /// Width of the hidden layer over the width of a token.
        package var mlpRatio = 4.0
        package var hasQKVBias = true
        package var epsilon = 1e-6  // the reference's value; PyTorch's own default is 1e-5

        public init(_ size: Size, patch: Int) {
            (preset, ownWidth, ownDepth, ownHeads, self.patch) = (size, nil, nil, nil, patch)
        }

        public init(width: Int, depth: Int, heads: Int, patch: Int) {
            (preset, ownWidth, ownDepth, ownHeads, self.patch) = (nil, width, depth, heads, patch)
        }

        private enum CodingKeys: String, CodingKey {
            case preset
            case ownWidth = "embed_dim"
            case ownDepth = "depth"
            case ownHeads = "num_heads"
            case patch = "patch_size"
            case layerScale = "init_values"
            case dropPathRate = "drop_path_rate"
            case usesAbsolutePositions = "use_abs_pos_emb"
            case usesBlockPositionBias = "use_rel_pos_bias"
            case usesSharedPositionBias = "use_shared_rel_pos_bias"
            case pooling = "global_pool"
            case keyBias = "key_bias"
        }

        public var width: Int { preset?.width ?? ownWidth ?? 0 }
        public var depth: Int { preset?.depth ?? ownDepth ?? 0 }
        public var heads: Int { preset?.heads ?? ownHeads ?? 0 }
        public var usesMeanPooling: Bool { pooling == .mean }
        public var qkvBias: QKVBias { !hasQKVBias ? .none : keyBias == true ? .full : .queryAndValue }

        public static let defaults = ["global_pool": "token"]
        public static let meanings = [
            "preset": Size.meaning,
            "embed_dim": "Channels of a token; with depth and num_heads instead of a preset.",
            "depth": "Blocks.",
            "num_heads": "Attention heads.",
            "patch_size": "Side of a token's patch, pixels.",
            "init_values": "Initial value of LayerScale; absent: none.",
            "drop_path_rate": "Drop rate of the last block, 0 to below 1; earlier blocks rise to it linearly.",
            "use_abs_pos_emb": "A learned vector for each position.",
            "use_rel_pos_bias": "A bias table in each block.",
            "use_shared_rel_pos_bias": "One bias table for all blocks.",
            "global_pool":
                "What a classifier reads. avg: the norm of the mean over patches; token: the class token after a norm.",
            "key_bias": "Attention adds a bias to keys too, as the original ViT, DeiT and MAE; absent: none, as BEiT.",
        ]

        public func check(_ here: Here) {
            here.require(preset: preset, or: ["embed_dim": ownWidth, "depth": ownDepth, "num_heads": ownHeads])
            here.requirePositive(["embed_dim": ownWidth, "depth": ownDepth, "num_heads": ownHeads])
            if let ownWidth, let ownHeads {
                here.require(
                    ownHeads >= 1 && ownWidth % ownHeads == 0, at: "num_heads", reading: ["embed_dim"],
                    "\(ownHeads) heads do not divide the embed_dim \(ownWidth)")
            }
            here.require(patch >= 1, at: "patch_size", "at least 1 pixel expected, found \(patch)")
            here.requireDropRate(["drop_path_rate": dropPathRate])
            if let layerScale {
                here.require(layerScale > 0, at: "init_values", "more than 0 expected, found \(layerScale)")
            }
        }

        public func check(_ recipe: Recipe, _ here: Here) { here.requirePatches(of: patch, recipe) }

        /// Refuses extents that do not divide.
        func check(_ image: ImageSpec) throws(ModelError) {
            try image.check(patch: patch)
            guard heads > 0, width > 0, width % heads == 0 else {
                throw ModelError(
                    "model.num_heads", found: "\(heads)", expected: "a divisor of embed_dim \(width)",
                    hint: "each head takes an equal share of the channels")
            }
            guard dropPathRate >= 0, dropPathRate < 1 else {
                throw ModelError(
                    "model.drop_path_rate", found: "\(dropPathRate)", expected: "a probability in 0..<1",
                    hint: "0 switches stochastic depth off")
            }
        }

        public func encoder(_ scope: Scope, image: ImageSpec, for use: EncoderUse) throws(ModelError) -> any Encoder {
            try VisionTransformer(scope, self, image: image, for: use)
        }

        public var lineage: [String: String] {
            ["embed_dim": "\(width)", "depth": "\(depth)", "num_heads": "\(heads)", "patch_size": "\(patch)"]
        }
    }
}

/// Pre-norm transformer block, (B, T, E) to (B, T, E): x + DP(γ₁⊙attn(norm1(x))), then x + DP(γ₂⊙mlp(norm2(x))).
/// Names and order of declaration follow BEiT; a full bias of the attention is named as in timm's ViT.
struct VisionBlock {
    private let residual1, residual2: Residual
    private let norm1, norm2: LayerNorm
    private let positionBias: RelativePositionBias?
    private let qkv, projection: Linear
    private let attention: Attention
    private let mlp: MLP
    private let dropPath: DropPath

    /// - Parameters:
    ///   - index: number of the block, 0 first; the maps that end a branch are initialized smaller with depth.
    ///   - side: side of the token grid.
    init(
        _ scope: Scope, _ settings: VisionTransformer.Settings, index: Int, side: Int, init initializer: Initializer,
        dropRate: Double
    ) {
        let width = settings.width
        let branchEnd = Initializer.scaled(initializer, by: 1 / Double(2 * (index + 1)).squareRoot())
        func scale(_ name: String) -> Parameter? {
            settings.layerScale.map { scope.parameter(name, [width], .constant(Float($0))) }
        }
        residual1 = Residual(scale: scale("gamma_1"))
        residual2 = Residual(scale: scale("gamma_2"))
        norm1 = LayerNorm(scope["norm1"], width, epsilon: settings.epsilon)
        let attn = scope["attn"]
        let bias: Linear.Bias =
            switch settings.qkvBias {
            case .none: .none
            case .queryAndValue:
                .queryAndValue(attn.parameter("q_bias", [width], .zeros), attn.parameter("v_bias", [width], .zeros))
            case .full: .full(attn["qkv"].parameter("bias", [3 * width], .zeros))
            }
        positionBias =
            settings.usesBlockPositionBias
            ? RelativePositionBias(attn, .classToken(side: side), heads: settings.heads, init: .zeros) : nil
        qkv = Linear(weight: attn["qkv"].parameter("weight", [3 * width, width], initializer), bias: bias)
        attention = Attention(heads: settings.heads)
        projection = Linear(attn["proj"], width, width, init: branchEnd)
        norm2 = LayerNorm(scope["norm2"], width, epsilon: settings.epsilon)
        let hidden = Int(Double(width) * settings.mlpRatio)
        mlp = MLP(scope["mlp"], width, hidden: hidden, init: initializer, outputInit: branchEnd)
        dropPath = DropPath(dropRate)
    }

    /// - Parameter sharedBias: added to the logits, (heads, T, T).
    func callAsFunction(_ x: Tensor, sharedBias: Tensor?) -> Tensor {
        var bias = sharedBias
        if let own = positionBias?(in: x.graph) { bias = sharedBias.map { Add()(own, $0) } ?? own }
        let y = residual1(x, projection(attention(qkv(norm1(x)), bias: bias)), keep: dropPath.keep(for: x))
        return residual2(y, mlp(norm2(y)), keep: dropPath.keep(for: y))
    }
}
