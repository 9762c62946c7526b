public import Autodiff
import Kernels
package import Layers

/// The transformer of ViT-VQGAN: pre-norm layers x + Attn(LN x), x + FF(LN x) and a norm at the end, (B, N, E) to the
/// same. The product of q, k and v has no bias, FF is linear, tanh, linear. Names are those of
/// thuanz123/enhancing-transformers. Source: arXiv 2110.04627.
public struct TokenizerStack {
    public struct Sizes: Sendable, Equatable {
        public var width, depth, heads, headWidth, hidden: Int

        public init(width: Int, depth: Int, heads: Int, headWidth: Int = 64, hidden: Int) {
            (self.width, self.depth, self.heads) = (width, depth, heads)
            (self.headWidth, self.hidden) = (headWidth, hidden)
        }
    }

    private let layers: [Layer]
    private let norm: LayerNorm

    static let epsilon = 1e-5

    /// - Parameter scope: the scope of `layers` and `norm`.
    public init(_ scope: Scope, _ sizes: Sizes) {
        layers = (0..<sizes.depth).map { Layer(scope["layers"][$0], sizes) }
        norm = LayerNorm(scope["norm"], sizes.width, epsilon: Self.epsilon)
    }

    public func callAsFunction(_ x: Tensor) -> Tensor {
        norm(layers.reduce(x) { x, layer in x.graph.block { layer(x) } })
    }

    /// The output of each layer; the last one is normed.
    func outputs(_ x: Tensor) -> [Tensor] {
        var (x, outputs) = (x, [Tensor]())
        for layer in layers {
            x = x.graph.block { layer(x) }
            outputs.append(x)
        }
        return outputs.dropLast() + [norm(x)]
    }

    private struct Layer {
        private let norm1, norm2: LayerNorm
        private let qkv: Linear
        private let attention: Attention
        /// One head as wide as the tokens is not mixed again.
        private let projection: Linear?
        private let hidden, output: Linear

        init(_ scope: Scope, _ sizes: Sizes) {
            let (attn, forward) = (scope[0], scope[1])
            let inner = sizes.heads * sizes.headWidth
            norm1 = LayerNorm(attn["norm"], sizes.width, epsilon: TokenizerStack.epsilon)
            qkv = Linear(
                attn["fn"]["to_qkv"], sizes.width, 3 * inner, bias: false, init: .xavier(sizes.width, 3 * inner))
            attention = Attention(heads: sizes.heads)
            projection =
                sizes.heads == 1 && sizes.headWidth == sizes.width
                ? nil : Linear(attn["fn"]["to_out"], inner, sizes.width, init: .xavier(inner, sizes.width))
            norm2 = LayerNorm(forward["norm"], sizes.width, epsilon: TokenizerStack.epsilon)
            let net = forward["fn"]["net"]
            hidden = Linear(net[0], sizes.width, sizes.hidden, init: .xavier(sizes.width, sizes.hidden))
            output = Linear(net[2], sizes.hidden, sizes.width, init: .xavier(sizes.hidden, sizes.width))
        }

        func callAsFunction(_ x: Tensor) -> Tensor {
            let mixed = attention(qkv(norm1(x)))
            let y = Residual()(x, projection?(mixed) ?? mixed)
            return Residual()(y, output(Tanh()(hidden(norm2(y)))))
        }
    }
}

extension Initializer {
    /// Uniform with the bound √(6 / (inputs + outputs)).
    static func xavier(_ inputs: Int, _ outputs: Int) -> Initializer {
        .uniform(bound: (6 / Double(inputs + outputs)).squareRoot())
    }

    /// PyTorch's own initialization of linear maps and convolutions, weight and bias: uniform with the bound 1/√inputs.
    static func framework(inputs: Int) -> Initializer { .uniform(bound: 1 / Double(inputs).squareRoot()) }
}

extension Linear {
    /// A map initialized as PyTorch does it.
    package static func framework(_ scope: Scope, _ inputs: Int, _ outputs: Int) -> Linear {
        Linear(
            weight: scope.parameter("weight", [outputs, inputs], .framework(inputs: inputs)),
            bias: .full(scope.parameter("bias", [outputs], .framework(inputs: inputs))))
    }
}
