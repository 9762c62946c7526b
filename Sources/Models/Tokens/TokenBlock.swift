import Autodiff
import Kernels
import Layers

/// Pre-norm transformer block of timm 0.5.4, (B, T, E) to (B, T, E), with dropout on the attention's probabilities, on
/// both branches' outputs and on the MLP's hidden values.
struct TokenBlock {
    private let norm1, norm2: LayerNorm
    private let qkv, projection: Linear
    private let attention: Attention
    private let mlp: MLP
    private let dropPath: DropPath
    private let dropoutRate: Double
    private let dropout: Dropout
    private let residual = Residual()

    /// Epsilon of all norms but those of the token head and of TokenAdapt.
    static let epsilon = 1e-6

    /// - Parameters:
    ///   - initializer: initializer of a weight, from its inputs and outputs.
    ///   - dropRate: share of samples that lose a branch, 0..<1.
    ///   - dropout: share of values dropped in training, 0..<1.
    init(
        _ scope: Scope, width: Int, heads: Int, init initializer: (Int, Int) -> Initializer, dropRate: Double = 0,
        dropout: Double = 0
    ) {
        norm1 = LayerNorm(scope["norm1"], width, epsilon: Self.epsilon)
        qkv = Linear(scope["attn"]["qkv"], width, 3 * width, init: initializer(width, 3 * width))
        attention = Attention(heads: heads)
        projection = Linear(scope["attn"]["proj"], width, width, init: initializer(width, width))
        norm2 = LayerNorm(scope["norm2"], width, epsilon: Self.epsilon)
        mlp = MLP(
            scope["mlp"], width, hidden: 4 * width, init: initializer(width, 4 * width),
            outputInit: initializer(4 * width, width), dropout: dropout)
        dropPath = DropPath(dropRate)
        dropoutRate = dropout
        self.dropout = Dropout(dropout)
    }

    func callAsFunction(_ x: Tensor) -> Tensor {
        let attended = dropout(projection(attention(qkv(norm1(x)), dropout: dropoutRate)))
        let y = residual(x, attended, keep: dropPath.keep(for: x))
        return residual(y, dropout(mlp(norm2(y))), keep: dropPath.keep(for: y))
    }
}
