public import Autodiff
import Kernels
public import Layers

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
