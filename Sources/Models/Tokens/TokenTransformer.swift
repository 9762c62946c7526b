public import Autodiff
import Kernels
public import Layers
public import Recipes

/// A vision transformer over grids of tokens, which it reads as ids (SeiT++: a learned embedding, patches of 2 × 2) or
/// as code vectors of a frozen codebook (SeiT: patches that overlap). Names follow naver-ai/seit.
/// Source: arXiv 2303.11114 and 2312.10105.
public struct TokenTransformer: Encoder {
    public let settings: Settings
    public let grid: FeatureGrid
    /// Embedding of ids, which a token head compares with.
    public let embedding: TokenEmbedding?
    private let use: EncoderUse
    private let classToken: ClassToken
    private let maskToken: MaskToken?
    private let positions: PositionTable
    private let stem: TokenStem
    private let blocks: [TokenBlock]
    /// The norm after the last block, or after the mean over patches.
    private let norm: LayerNorm

    public init(_ scope: Scope, _ settings: Settings, image: ImageSpec, for use: EncoderUse) throws(ModelError) {
        try settings.check(image)
        let (width, side) = (settings.width, image.side / settings.patch)
        (self.settings, self.use) = (settings, use)
        grid = FeatureGrid(side: side, stride: settings.patch, width: width)
        let readsIDs = settings.input == .ids
        let tokenInit: Initializer =
            readsIDs ? .normal(std: 0.02) : .truncatedNormal(std: 0.02, cut: 2)
        classToken = ClassToken(scope, width, init: tokenInit)
        maskToken =
            use == .pretraining ? MaskToken(scope, name: "mask_token_label", width, init: .zeros) : nil
        let waves = SinCosPositions.table(grid: side, width: width)
        let tokens = side * side + 1
        positions =
            readsIDs && use == .pretraining
            ? PositionTable(scope, fixed: "pos_embed", tokens: tokens, channels: width, waves)
            : PositionTable(
                scope, name: "pos_embed", tokens: tokens, channels: width, init: readsIDs ? .table(waves) : tokenInit)
        stem = try TokenStem(scope, settings, image)
        embedding = stem.embedding
        let rates = DropPath.rates(upTo: settings.dropPathRate, count: settings.depth)
        blocks = (0..<settings.depth).map { index in
            TokenBlock(
                scope["blocks"][index], width: width, heads: settings.heads, init: settings.initializer,
                dropRate: rates[index])
        }
        norm = LayerNorm(scope["norm"], width, epsilon: TokenBlock.epsilon)
    }

    /// Every token after the last block, class token first, before the final norm: that of each block.
    private func run(_ tokens: Tensor) -> [Tensor] {
        var x = tokens
        return blocks.enumerated().map { index, block in
            x = x.graph.block { block(x) }.feature(.block, "blocks.\(index)")
            return x
        }
    }

    /// The encoded tokens that are not dropped, (B, 1 + kept, E), after the final norm.
    /// - Parameters:
    ///   - mask: a `TokenMaskState` for each token, (B, side, side).
    ///   - kept: tokens that are not dropped, in each sample.
    public func latent(_ ids: Tensor, mask: Tensor, kept: Int) -> Tensor {
        guard let maskToken else { preconditionFailure("a classifier has no mask token") }
        let tokens = positions(classToken(maskToken(stem(ids), mask: mask)))
        let seen = MaskedTokenRows(.leaveOut(kept: kept))(tokens, mask: mask)
        return norm(run(seen).last ?? seen)
    }

    public func outputs(_ images: Tensor) -> [FeatureMap] {
        let tokens = positions(classToken(stem(images)))
        var values = run(tokens)
        // A classifier's norm comes after the mean over patches.
        if use == .pretraining, let last = values.popLast() { values.append(norm(last)) }
        let names = values.indices.dropLast().map { "blocks.\($0)" } + ["output"]
        return zip(names, values).map { name, x in
            FeatureMap(name, patches: TokenRange(patches)(x), classToken: MeanPooling(0..<1)(x))
        }
    }

    public func pooled(_ images: Tensor) -> Tensor {
        let tokens = positions(classToken(stem(images)))
        return norm(MeanPooling(patches)(run(tokens).last ?? tokens)).feature(.pooled, "pooled")
    }

    public var leadingTokens: Int { 1 }

    private var patches: Range<Int> { 1..<grid.side * grid.side + 1 }

    public var headInit: Initializer {
        switch settings.input {
        case .ids: .truncatedNormal(std: 2e-5, cut: 2)
        case .vectors: .truncatedNormal(std: 0.02, cut: 2)
        }
    }

    public func inputChannels(_ image: ImageSpec) -> Int {
        settings.input == .ids ? 1 : image.tokens?.width ?? image.channels
    }
}

extension TokenTransformer {
    public var layers: LayerDecay { .maeViT(depth: settings.depth) }

    public func weightDecay(for use: EncoderUse) -> DecayRule {
        switch (settings.input, use) {
        case (.ids, .pretraining): .matrices
        case (.ids, .classification): .mae
        case (.vectors, _): .seiT
        }
    }

    /// A classifier leaves behind what masked modelling and TokenAdapt have beside the encoder. Positions follow the
    /// grid.
    public func converted(_ stored: [String: StoredWeights]) -> [String: StoredWeights] {
        let others = ["decoder_", "mlm_layer.", "conversion_function.", "reverse_transform."]
        var weights = stored.filter { name, _ in !others.contains { name.hasPrefix($0) } }
        if use == .classification { weights["mask_token_label"] = nil }
        weights.resamplePositions("pos_embed", grid: grid.side, width: settings.width)
        return weights
    }
}

extension TokenTransformer {
    /// Input of the encoder.
    public enum Input: String, CaseIterable, Sendable, Decodable {
        /// One id for each place: SeiT++.
        case ids
        /// The code vector of each place, or a mixture of several: SeiT.
        case vectors
    }

    /// The model section of a recipe with `kind: token_vit`: a named size, or embed_dim, depth and num_heads.
    public struct Settings: EncoderSettings, Equatable {
        public static let kind = "token_vit"

        private let preset: VisionTransformer.Size?
        private let ownWidth, ownDepth, ownHeads: Int?
        public let input: Input
        /// Tokens along a side of a patch.
        public var patch = 2
        /// Drop rate of the last block, 0..<1; it grows linearly from 0.
        public var dropPathRate = 0.0
        /// Share of the embedded ids' numbers that is dropped in training, 0..<1.
        public var dropout = 0.0

        public init(width: Int, depth: Int, heads: Int, input: Input) {
            (preset, ownWidth, ownDepth, ownHeads, self.input) = (nil, width, depth, heads, input)
        }

        private enum CodingKeys: String, CodingKey {
            case preset
            case ownWidth = "embed_dim"
            case ownDepth = "depth"
            case ownHeads = "num_heads"
            case input
            case patch = "patch_size"
            case dropPathRate = "drop_path_rate"
            case dropout
        }

        public var width: Int { preset?.width ?? ownWidth ?? 0 }
        public var depth: Int { preset?.depth ?? ownDepth ?? 0 }
        public var heads: Int { preset?.heads ?? ownHeads ?? 0 }

        /// Initializer of a weight, from its inputs and outputs.
        func initializer(_ inputs: Int, _ outputs: Int) -> Initializer {
            switch input {
            case .ids: .uniform(bound: (6 / Double(inputs + outputs)).squareRoot())
            case .vectors: .truncatedNormal(std: 0.02, cut: 2)
            }
        }

        public static let defaults = ["patch_size": "2"]
        public static let meanings = [
            "preset": VisionTransformer.Size.meaning,
            "embed_dim": "Channels of a patch; with depth and num_heads instead of a preset.",
            "depth": "Blocks.",
            "num_heads": "Attention heads.",
            "patch_size": "Side of a patch, tokens.",
            "input": "ids: a learned embedding (SeiT++); vectors: those of the codebook, patches overlap (SeiT).",
            "drop_path_rate": "Drop rate of the last block, 0 to below 1; earlier blocks rise to it linearly.",
            "dropout": "Share of the embedding's numbers dropped in training, 0 to below 1; of ids only.",
        ]

        public func check(_ here: Here) {
            here.require(preset: preset, or: ["embed_dim": ownWidth, "depth": ownDepth, "num_heads": ownHeads])
            here.requirePositive(["embed_dim": ownWidth, "depth": ownDepth, "num_heads": ownHeads])
            if let ownWidth, let ownHeads {
                here.require(
                    ownHeads >= 1 && ownWidth % ownHeads == 0 && ownWidth % 4 == 0, at: "num_heads",
                    reading: ["embed_dim"],
                    "\(ownHeads) heads do not divide the \(ownWidth) channels, or that is no multiple of 4")
            }
            here.require(
                patch >= 1 && (patch % 2 == 0 || input == .ids), at: "patch_size", reading: ["input"],
                "an even number of tokens expected, or any with input 'ids', found \(patch)")
            here.requireDropRate(["drop_path_rate": dropPathRate, "dropout": dropout])
            here.require(
                dropout == 0 || input == .ids, at: "dropout", reading: ["input"],
                "vectors are not embedded; only input 'ids' has it")
        }

        public func check(_ recipe: Recipe, _ here: Here) {
            here.recipe.require(
                recipe.tokens != nil, at: "model.kind", reading: ["tokens"],
                "this encoder reads tokens; give a section 'tokens' in place of 'images'")
            guard let tokens = recipe.tokens else { return }
            here.recipe.require(
                patch >= 1 && tokens.size % patch == 0, at: "model.patch_size", reading: ["tokens.size"],
                "\(patch) does not divide tokens.size \(tokens.size)")
        }

        func check(_ image: ImageSpec) throws(ModelError) {
            guard patch > 0, patch % 2 == 0 || input == .ids, image.side % patch == 0 else {
                throw ModelError(
                    "model.patch_size", found: "\(patch)",
                    expected: "a divisor of the grid's side \(image.side), an even one where patches overlap",
                    hint: "change model.patch_size or tokens.size")
            }
            guard heads > 0, width > 0, width % heads == 0, width % 4 == 0 else {
                throw ModelError(
                    "model.num_heads", found: "\(heads) heads of a width of \(width)",
                    expected: "a divisor of the width, which is a multiple of 4",
                    hint: "each head takes an equal share of the channels")
            }
        }

        public func encoder(_ scope: Scope, image: ImageSpec, for use: EncoderUse) throws(ModelError) -> any Encoder {
            guard use == .classification || input == .ids else {
                throw ModelError(
                    "model.input", found: "vectors", expected: "ids", hint: "masked token modelling predicts ids")
            }
            return try TokenTransformer(scope, self, image: image, for: use)
        }

        public var lineage: [String: String] {
            [
                "embed_dim": "\(width)", "depth": "\(depth)", "num_heads": "\(heads)", "patch_size": "\(patch)",
                "input": input.rawValue,
            ]
        }
    }
}

/// The map from the input to one vector for each patch, (B, L, E).
private struct TokenStem {
    let embedding: TokenEmbedding?
    private let norm: LayerNorm?
    private let dropout: Dropout
    private let patches: PatchEmbedding?
    private let overlapping: Convolution?

    init(_ scope: Scope, _ settings: TokenTransformer.Settings, _ image: ImageSpec) throws(ModelError) {
        guard let tokens = image.tokens else {
            throw ModelError(
                "model.kind", found: "images", expected: "tokens",
                hint: "this encoder reads a token set: give a section 'tokens' in place of 'images'")
        }
        let (patch, projection) = (settings.patch, scope["patch_embed"])
        dropout = Dropout(settings.dropout)
        // The framework's default of a convolution.
        func bound(_ side: Int) -> Initializer {
            .uniform(bound: 1 / Double(tokens.width * side * side).squareRoot())
        }
        switch settings.input {
        case .ids:
            let names = scope["token_emb"]
            embedding = TokenEmbedding(
                names["word_embeddings"], codes: tokens.codes, width: tokens.width, init: .normal(std: 0.02))
            norm = LayerNorm(names["LayerNorm"], tokens.width, epsilon: TokenBlock.epsilon)
            patches = PatchEmbedding(
                projection, channels: tokens.width, patch: patch, width: settings.width, init: bound(patch),
                biasInit: bound(patch))
            overlapping = nil
        case .vectors:
            (embedding, norm, patches) = (nil, nil, nil)
            overlapping = Convolution(
                projection["proj"], tokens.width, settings.width,
                Window(2 * patch, stride: patch, padding: patch / 2), bias: true, init: bound(2 * patch),
                biasInit: bound(2 * patch))
        }
    }

    func callAsFunction(_ x: Tensor) -> Tensor {
        if let embedding, let norm, let patches { return patches(dropout(norm(embedding(x)))) }
        guard let overlapping else { preconditionFailure("a stem reads ids or vectors") }
        let (batch, side, channels) = (x.shape[0], x.shape[1], x.shape[3])
        let rows = GridRows(
            rows: Reshape([batch, side * side, channels])(x), side: side,
            cells: ActiveCells(all: batch, in: x.graph))
        return overlapping(rows).rows
    }
}
