public import Autodiff
import Kernels
import Layers

/// Initialization of the linear maps: the classifier keeps PyTorch's default, the auto-encoder has Xavier's.
package enum LinearInit: Sendable {
    /// Weight and bias U(±1/√inputs).
    case fanIn
    /// Weight U(±√(6/(inputs + outputs))), bias 0.
    case xavier

    func linear(_ scope: Scope, _ inputs: Int, _ outputs: Int, bias: Bool = true) -> Linear {
        let fanIn = Initializer.uniform(bound: 1 / Double(inputs).squareRoot())
        let isXavier = self == .xavier
        let initializer = isXavier ? Initializer.uniform(bound: (6 / Double(inputs + outputs)).squareRoot()) : fanIn
        let weight = scope.parameter("weight", [outputs, inputs], initializer)
        return Linear(
            weight: weight, bias: bias ? .full(scope.parameter("bias", [outputs], isXavier ? .zeros : fanIn)) : .none)
    }

    /// Initializer of the square matrices of ISTA and of the decoder's layers.
    static func square(_ width: Int) -> Initializer { .uniform(bound: (6 / Double(width)).squareRoot()) }
}

/// Multi-head subspace self-attention, (B, T, d) to (B, T, d): one projection to heads × width serves as query, key and
/// value, and a map back. The map is absent for a single head as wide as d.
package struct SubspaceSelfAttention {
    private let projection: Linear
    private let attention: SubspaceAttention
    private let output: Linear?

    package init(
        _ scope: Scope, width: Int, heads: Int, headWidth: Int, usesSoftmax: Bool = true, init initializer: LinearInit
    ) {
        let inner = heads * headWidth
        projection = initializer.linear(scope["qkv"], width, inner, bias: false)
        attention = SubspaceAttention(heads: heads, usesSoftmax: usesSoftmax)
        output = heads == 1 && headWidth == width ? nil : initializer.linear(scope["to_out"][0], inner, width)
    }

    package func callAsFunction(_ x: Tensor) -> (projected: Tensor, output: Tensor) {
        let projected = projection(x)
        let attended = attention(projected)
        return (projected, output?(attended) ?? attended)
    }
}

/// Values that a layer of CRATE computes on its way, to be looked at.
public struct CRATELayerValues {
    /// The tokens in the subspaces, (B, T, h·k): what the coding rate is measured on.
    public let projected: Tensor
    /// Tokens after the attention step, (B, T, d).
    public let half: Tensor
    /// Tokens after the sparsification step, (B, T, d).
    public let output: Tensor
}

/// A layer of the encoder, (B, T, d) to (B, T, d): z′ = z + MSSA(norm(z)), then ISTA(norm(z′)) with nothing around it.
/// Source: arXiv 2306.01129, code Ma-Lab-Berkeley/CRATE; the paper's figure takes the residual after the norm.
package struct CRATELayer {
    private let attentionNorm, sparseNorm: LayerNorm
    private let attention: SubspaceSelfAttention
    private let ista: ISTA

    package init(_ scope: Scope, _ sizes: CRATESizes, step: Double, threshold: Double, init initializer: LinearInit) {
        attentionNorm = LayerNorm(scope[0]["norm"], sizes.width, epsilon: CRATESizes.epsilon)
        attention = SubspaceSelfAttention(
            scope[0]["fn"], width: sizes.width, heads: sizes.heads, headWidth: sizes.headWidth, init: initializer)
        sparseNorm = LayerNorm(scope[1]["norm"], sizes.width, epsilon: CRATESizes.epsilon)
        ista = ISTA(
            scope[1]["fn"], sizes.width, step: step, threshold: threshold, init: LinearInit.square(sizes.width))
    }

    package func callAsFunction(_ z: Tensor) -> CRATELayerValues {
        let (projected, update) = attention(attentionNorm(z))
        let half = Residual()(z, update)
        return CRATELayerValues(projected: projected, half: half, output: ista(sparseNorm(half)))
    }
}

/// A layer of the auto-encoder's decoder, (B, T, d) to (B, T, d): y = norm(z)·Eᵀ without bias or residual, then
/// y − MSSA(norm(y)).
package struct CRATEDecoderLayer {
    private let linearNorm, attentionNorm: LayerNorm
    private let linear: Linear
    private let attention: SubspaceSelfAttention

    package init(_ scope: Scope, _ sizes: CRATESizes, init initializer: LinearInit) {
        linearNorm = LayerNorm(scope[0]["norm"], sizes.width, epsilon: CRATESizes.epsilon)
        linear = Linear(
            scope[0]["fn"], sizes.width, sizes.width, bias: false, init: LinearInit.square(sizes.width))
        attentionNorm = LayerNorm(scope[1]["norm"], sizes.width, epsilon: CRATESizes.epsilon)
        attention = SubspaceSelfAttention(
            scope[1]["fn"], width: sizes.width, heads: sizes.heads, headWidth: sizes.headWidth, init: initializer)
    }

    /// - Returns: y and the output.
    package func callAsFunction(_ z: Tensor) -> (linear: Tensor, output: Tensor) {
        let y = linear(linearNorm(z))
        return (y, Subtract()(y, attention(attentionNorm(y)).output))
    }
}
