public import Autodiff
import Kernels
import Layers

/// A hierarchy of grids with attention inside windows that move by half a window from block to block.
/// Names, order of declaration and initialization are those of microsoft/SimMIM. Source: arXiv 2103.14030.
public struct SwinTransformer: MaskedEncoder {
    /// The values on the way through the network that something outside may want to read. Tokens are row-major.
    public struct Encoding {
        /// Patches before masking, (B, N, E).
        public let patches: Tensor
        /// Input of the first block, (B, N, E).
        public let tokens: Tensor
        public let stages: [Stage]
        /// Tokens after the final norm, (B, side², F).
        public let output: Tensor

        public struct Stage {
            /// The output of each block, (B, N, C).
            public let blocks: [Tensor]
            /// The attention of each block before the windows are joined, (B·windows, window², C).
            public let windows: [Tensor]
            /// Tokens after merging, (B, N/4, 2·C), which the last stage does not do.
            public let output: Tensor
        }
    }

    public let settings: Settings
    public let grid: FeatureGrid
    private let forms: [Settings.Stage]
    private let positions: PositionTable?
    private let maskToken: MaskToken?
    private let patchEmbedding: PatchEmbedding
    private let patchNorm: LayerNorm?
    private let stages: [SwinStage]
    private let norm: LayerNorm

    public init(_ scope: Scope, _ settings: Settings, image: ImageSpec, for use: EncoderUse) throws(ModelError) {
        try settings.check(image)
        let (initializer, patch) = (Self.initializer, settings.patch)
        let forms = settings.stages(of: image)
        let (first, last) = (forms[0], forms[forms.count - 1])
        self.settings = settings
        self.forms = forms
        grid = FeatureGrid(side: last.side, stride: image.side / last.side, width: last.width)
        positions =
            settings.usesAbsolutePositions
            ? PositionTable(
                scope, name: "absolute_pos_embed", tokens: first.side * first.side, channels: first.width,
                init: initializer)
            : nil
        maskToken = use == .pretraining ? MaskToken(scope, first.width, init: initializer) : nil
        // The reference leaves this convolution as its framework makes it.
        let framework = Initializer.uniform(bound: 1 / Double(image.channels * patch * patch).squareRoot())
        patchEmbedding = PatchEmbedding(
            scope["patch_embed"], channels: image.channels, patch: patch, width: first.width, init: framework,
            biasInit: framework)
        patchNorm =
            settings.hasPatchNorm
            ? LayerNorm(scope["patch_embed"]["norm"], first.width, epsilon: settings.epsilon) : nil
        let blocks = settings.depths.reduce(0, +)
        var dropRates = DropPath.rates(upTo: settings.dropPathRate, count: blocks)[...]
        stages = forms.enumerated().map { index, form in
            defer { dropRates = dropRates.dropFirst(form.depth) }
            return SwinStage(
                scope["layers"][index], settings, form, isLast: index == forms.count - 1, init: initializer,
                dropRates: dropRates.prefix(form.depth))
        }
        norm = LayerNorm(scope["norm"], last.width, epsilon: settings.epsilon)
    }

    /// Runs the stages over images (B, H, W, C).
    /// - Parameter mask: one number per patch, 1 = replaced by the mask token; only in pre-training.
    public func encode(_ images: Tensor, mask: Tensor? = nil) -> Encoding {
        let embedded = patchEmbedding(images)
        let patches = patchNorm?(embedded) ?? embedded
        var x = patches
        if let mask {
            guard let maskToken else { preconditionFailure("a classifier has no mask token") }
            x = maskToken(x, mask: mask)
        }
        if let positions { x = positions(x) }
        let tokens = x
        let outputs = stages.enumerated().map { index, stage in
            let blocks = stage.blocks.enumerated().map { number, block in
                let output = x.graph.block { block(x) }
                x = output.tokens.feature(.block, "layers.\(index).blocks.\(number)")
                return output
            }
            x.feature(.stage, "layers.\(index)")
            if let merging = stage.merging { x = merging(x) }
            return Encoding.Stage(blocks: blocks.map(\.tokens), windows: blocks.map(\.windows), output: x)
        }
        return Encoding(patches: patches, tokens: tokens, stages: outputs, output: norm(x))
    }

    public var patch: Int { settings.patch }

    public func features(_ images: Tensor, mask: Tensor) -> Tensor { encode(images, mask: mask).output }

    public func outputs(_ images: Tensor) -> [FeatureMap] {
        let encoding = encode(images)
        let blocks = encoding.stages.enumerated().flatMap { stage, output in
            output.blocks.enumerated().map { FeatureMap("layers.\(stage).blocks.\($0)", patches: $1) }
        }
        return blocks.dropLast() + [FeatureMap("output", patches: encoding.output)]
    }

    public func pooled(_ images: Tensor) -> Tensor {
        MeanPooling(0..<grid.side * grid.side)(encode(images).output).feature(.pooled, "pooled")
    }

    public var headInit: Initializer { Self.initializer }

    /// The reference cuts at 100 standard deviations, which is not at all.
    private static let initializer = Initializer.normal(std: 0.02)
}

extension SwinTransformer {
    /// The attention and the MLP of each block.
    public func isReferenceFeature(_ layer: String) -> Bool {
        layer.hasSuffix("attn.proj") || layer.hasSuffix("mlp.fc2")
    }

    public var layers: LayerDecay { .simMIMSwin(depths: settings.depths) }

    public func weightDecay(for use: EncoderUse) -> DecayRule { .simMIMSwin }

    public func converted(_ stored: [String: StoredWeights]) -> [String: StoredWeights] {
        var weights = stored.filter { !PositionBiasResampling.isDerived($0.key) }
        for (stage, form) in forms.enumerated() {
            for block in 0..<form.depth {
                weights.resampleBiases(
                    "layers.\(stage).blocks.\(block).attn.relative_position_bias_table", side: 2 * form.window - 1,
                    heads: form.heads, others: 0)
            }
        }
        return weights
    }
}

/// Pre-norm block with attention inside windows, (B, N, C) to (B, N, C): x + DP(attn(norm1(x))), then
/// x + DP(mlp(norm2(x))). The norm writes its rows window by window and the residual puts them back, so that rolling,
/// cutting and merging cost no pass of their own. Names and order of declaration are those of microsoft/SimMIM.
struct SwinBlock {
    private let windows: WindowPartition
    private let residual1, residual2: Residual
    private let norm1, norm2: LayerNorm
    private let positionBias: RelativePositionBias
    private let qkv, projection: Linear
    private let attention: Attention
    private let mlp: MLP
    private let dropPath: DropPath

    /// Results of a block.
    struct Output {
        /// The result of the attention, (B·windows, window², C).
        let windows: Tensor
        let tokens: Tensor
    }

    init(
        _ scope: Scope, _ settings: SwinTransformer.Settings, _ stage: SwinTransformer.Settings.Stage,
        _ windows: WindowPartition, init initializer: Initializer, dropRate: Double
    ) {
        let (width, tokens) = (stage.width, windows.window * windows.window)
        self.windows = windows
        residual1 = Residual(from: windows)
        residual2 = Residual()
        if let mask = windows.mask {
            _ = scope.buffer("attn_mask", [windows.count, tokens, tokens], constants: mask.array)
        }
        norm1 = LayerNorm(scope["norm1"], width, epsilon: settings.epsilon, into: windows)
        let attn = scope["attn"]
        positionBias = RelativePositionBias(attn, .window(side: windows.window), heads: stage.heads, init: initializer)
        qkv = Linear(attn["qkv"], width, 3 * width, bias: settings.hasQKVBias, init: initializer)
        attention = Attention(heads: stage.heads, scale: settings.queryScale, mask: windows.mask)
        projection = Linear(attn["proj"], width, width, init: initializer)
        norm2 = LayerNorm(scope["norm2"], width, epsilon: settings.epsilon)
        mlp = MLP(
            scope["mlp"], width, hidden: Int(Double(width) * settings.mlpRatio), init: initializer,
            outputInit: initializer)
        dropPath = DropPath(dropRate)
    }

    func callAsFunction(_ x: Tensor) -> Output {
        let branch = projection(attention(qkv(norm1(x)), bias: positionBias(in: x.graph)))
        let y = residual1(x, branch, keep: dropPath.keep(for: x))
        return Output(windows: branch, tokens: residual2(y, mlp(norm2(y)), keep: dropPath.keep(for: y)))
    }
}

/// The blocks of one grid, and the halving of the grid behind them except in the last stage.
struct SwinStage {
    let blocks: [SwinBlock]
    let merging: PatchMerging?

    /// - Parameter dropRates: drop rates of the blocks.
    init(
        _ scope: Scope, _ settings: SwinTransformer.Settings, _ stage: SwinTransformer.Settings.Stage, isLast: Bool,
        init initializer: Initializer, dropRates: ArraySlice<Double>
    ) {
        // Blocks with the same shift share their tables.
        var partitions: [Int: WindowPartition] = [:]
        for shift in Set((0..<stage.depth).map(stage.shift)) {
            partitions[shift] = WindowPartition(side: stage.side, window: stage.window, shift: shift)
        }
        blocks = zip(0..., dropRates).map { index, rate in
            let shift = stage.shift(block: index)
            let windows =
                partitions[shift] ?? WindowPartition(side: stage.side, window: stage.window, shift: shift)
            return SwinBlock(scope["blocks"][index], settings, stage, windows, init: initializer, dropRate: rate)
        }
        merging =
            isLast
            ? nil
            : PatchMerging(
                scope["downsample"], side: stage.side, channels: stage.width, epsilon: settings.epsilon,
                init: initializer)
    }
}
