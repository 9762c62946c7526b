public import Autodiff
public import Kernels

/// softmax(u·uᵀ/√k)·u for every head: one projection u is query, key and value.
/// (B, T, h·k) to (B, T, h·k), head-major. Keeps input and output; the weights A are recomputed in backward.
/// With dA = dy·uᵀ and dS = A⊙(dA − Σ(A⊙dA))/√k, all three places of u add up: du = Aᵀ·dy + (dS + dSᵀ)·u.
/// Source: arXiv 2306.01129, code Ma-Lab-Berkeley/CRATE.
public struct SubspaceAttention: Operation {
    private let form: SubspaceForm

    /// - Parameter usesSoftmax: without it A = u·uᵀ/√k; the published models use it.
    public init(heads: Int, usesSoftmax: Bool = true) {
        form = SubspaceForm(heads: heads, usesSoftmax: usesSoftmax)
    }

    public func callAsFunction(_ u: Tensor) -> Tensor { u.apply(self) }

    public var keeps: Kept { .inputs.union(.output) }

    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        try form.check(shapes[0])
        return shapes[0]
    }

    public func extra(for shapes: [Shape]) -> Extra {
        let shape = form.attention(shapes[0])
        return Extra(
            scratch: WorkerPool.attentionScratch(shape),
            backwardScratch: WorkerPool.attentionBackwardScratch(shape, withBiasGradient: false))
    }

    public func flops(for shapes: [Shape]) -> Int {
        let (B, T, C) = shapes[0].three
        return 4 * B * T * T * C
    }

    public func forward(_ at: Workspace) {
        at.pool.attention(at.inputs[0], bias: nil, into: at.output, form.attention(at.shapes[0]), scratch: at.scratch)
    }

    public func backward(_ at: Workspace) {
        guard let du = at.inputGradients[0] else { return }
        at.pool.attentionBackward(
            at.inputs[0], bias: nil, output: at.output, at.outputGradient, into: du, adding: at.adds[0],
            biasGradient: nil, addingBias: false, form.attention(at.shapes[0]), scratch: at.scratch)
    }
}

/// The weights A of `SubspaceAttention`, to look at: (B, T, h·k) to (B, h, T, T), a row per query. No gradient.
public struct SubspaceAttentionWeights: Operation {
    private let form: SubspaceForm

    public init(heads: Int, usesSoftmax: Bool = true) {
        form = SubspaceForm(heads: heads, usesSoftmax: usesSoftmax)
    }

    public func callAsFunction(_ u: Tensor) -> Tensor { u.apply(self) }

    public var keeps: Kept { .nothing }

    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        try form.check(shapes[0])
        return [shapes[0][0], form.heads, shapes[0][1], shapes[0][1]]
    }

    public func forward(_ at: Workspace) {
        at.pool.attentionWeights(at.inputs[0], into: at.output, form.attention(at.shapes[0]))
    }

    public func backward(_ at: Workspace) { preconditionFailure("attention weights are looked at, not trained") }
}

/// How the channels of a projection are split into subspaces.
private struct SubspaceForm: Sendable {
    let heads: Int
    let usesSoftmax: Bool

    func check(_ shape: Shape) throws(ShapeError) {
        guard shape.rank == 3, shape.channels % heads == 0 else {
            throw ShapeError("input \(shape) is not (batch, tokens, \(heads) heads × width)")
        }
    }

    func attention(_ shape: Shape) -> AttentionShape {
        let (B, T, C) = shape.three
        let width = C / heads
        return AttentionShape(
            batch: B, tokens: T, heads: heads, headWidth: width, scale: 1 / Float(width).squareRoot(),
            projections: .shared, usesSoftmax: usesSoftmax)
    }
}
