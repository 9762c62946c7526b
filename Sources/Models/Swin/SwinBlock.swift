import Autodiff
import Kernels
import Layers

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
