public import Autodiff
public import Kernels

/// softmax(scale·q·kᵀ + bias)·v for every head, on the product qkv = [q | k | v], each head-major.
/// (B, T, 3·h·d) to (B, T, h·d); the optional second input is a bias (h, T, T) added to the logits.
/// Keeps inputs and output; the probabilities are made again in backward.
public struct Attention: Operation {
    private let heads: Int
    private let scale: Float?

    /// - Parameter scale: factor of q·kᵀ; without it 1/√(head width).
    public init(heads: Int, scale: Double? = nil) {
        self.heads = heads
        self.scale = scale.map { Float($0) }
    }

    public func callAsFunction(_ qkv: Tensor, bias: Tensor? = nil) -> Tensor {
        if let bias { qkv.apply(self, bias) } else { qkv.apply(self) }
    }

    public var keeps: Kept { .inputs.union(.output) }

    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        guard shapes[0].rank == 3, shapes[0].channels % (3 * heads) == 0 else {
            throw ShapeError("input \(shapes[0]) is not (batch, tokens, 3 × \(heads) heads × width)")
        }
        let (B, T, C) = shapes[0].three
        if shapes.count > 1, shapes[1] != [heads, T, T] {
            throw ShapeError(
                "bias \(shapes[1]) does not fit, \(heads) heads of \(T) tokens want (\(heads), \(T), \(T))")
        }
        return [B, T, C / 3]
    }

    public func extra(for shapes: [Shape]) -> Extra {
        let form = form(shapes[0])
        return Extra(
            scratch: WorkerPool.attentionScratch(form),
            backwardScratch: WorkerPool.attentionBackwardScratch(form, withBiasGradient: shapes.count > 1))
    }

    public func flops(for shapes: [Shape]) -> Int {
        let (B, T, C) = shapes[0].three
        return 4 * B * T * T * (C / 3)
    }

    public func forward(_ at: Workspace) {
        at.pool.attention(
            at.inputs[0], bias: at.inputs.count > 1 ? at.inputs[1] : nil, into: at.output, form(at.shapes[0]),
            scratch: at.scratch)
    }

    public func backward(_ at: Workspace) {
        let hasBias = at.inputs.count > 1
        guard let dqkv = at.inputGradients[0] else {
            precondition(!hasBias || at.inputGradients[1] == nil, "a logit bias is trained together with q, k and v")
            return
        }
        at.pool.attentionBackward(
            at.inputs[0], bias: hasBias ? at.inputs[1] : nil, output: at.output, at.outputGradient,
            into: dqkv, adding: at.adds[0],
            biasGradient: hasBias ? at.inputGradients[1] : nil, addingBias: hasBias && at.adds[1],
            form(at.shapes[0]), scratch: at.scratch)
    }

    private func form(_ shape: Shape) -> AttentionShape {
        let (B, T, C) = shape.three
        let width = C / (3 * heads)
        return AttentionShape(
            batch: B, tokens: T, heads: heads, headWidth: width, scale: scale ?? 1 / Float(width).squareRoot())
    }
}
