import Autodiff
import Kernels
import Layers

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
