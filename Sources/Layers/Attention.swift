public import Autodiff
public import Kernels

/// softmax(scale·q·kᵀ + bias)·v for every head, on the product qkv = [q | k | v], each head-major.
/// (B, T, 3·h·d) to (B, T, h·d); the optional second input is a bias (h, T, T) added to the logits, and a constant mask
/// (windows, T, T) is added too, sample b taking the one of b mod windows.
/// Keeps inputs and output; the probabilities are recomputed in backward.
public struct Attention: Operation {
    private let heads: Int
    private let scale: Float?
    private let mask: Floats?
    private var dropout: (dropRate: Double, site: DropoutSite)?

    /// - Parameter scale: factor of q·kᵀ; without it 1/√(head width).
    public init(heads: Int, scale: Double? = nil, mask: Floats? = nil) {
        self.heads = heads
        self.scale = scale.map { Float($0) }
        self.mask = mask
    }

    public func callAsFunction(_ qkv: Tensor, bias: Tensor? = nil) -> Tensor {
        if let bias { qkv.apply(self, bias) } else { qkv.apply(self) }
    }

    /// Drops a share `dropout` of the probabilities in training, 0..<1.
    public func callAsFunction(_ qkv: Tensor, dropout dropRate: Double) -> Tensor {
        guard dropRate > 0 else { return self(qkv) }
        var attention = self
        attention.dropout = (dropRate, qkv.graph.dropout(samples: qkv.shape[0]))
        return qkv.apply(attention)
    }

    public var indices: [IndexInput] { dropout.map { [$0.site.keys] } ?? [] }

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
        if let mask, mask.count % (T * T) != 0 || B % (mask.count / (T * T)) != 0 {
            throw ShapeError("a mask of \(mask.count) values does not fit \(B) windows of \(T) tokens")
        }
        return [B, T, C / 3]
    }

    public func extra(for shapes: [Shape]) -> Extra {
        let form = form(shapes[0])
        return Extra(
            scratch: WorkerPool.attentionScratch(form, masks: masks(form)),
            backwardScratch: WorkerPool.attentionBackwardScratch(
                form, masks: masks(form), withBiasGradient: shapes.count > 1))
    }

    public func flops(for shapes: [Shape]) -> Int {
        let (B, T, C) = shapes[0].three
        return 4 * B * T * T * (C / 3)
    }

    public func forward(_ at: Workspace) {
        at.pool.attention(
            at.inputs[0], bias: at.inputs.count > 1 ? at.inputs[1] : nil, mask: mask, dropout: draw(at),
            into: at.output, form(at.shapes[0]), scratch: at.scratch)
    }

    public func backward(_ at: Workspace) {
        let hasBias = at.inputs.count > 1
        guard let dqkv = at.inputGradients[0] else {
            precondition(!hasBias || at.inputGradients[1] == nil, "a logit bias is trained together with q, k and v")
            return
        }
        at.pool.attentionBackward(
            at.inputs[0], bias: hasBias ? at.inputs[1] : nil, mask: mask, dropout: draw(at), output: at.output,
            at.outputGradient, into: dqkv, adding: at.adds[0],
            biasGradient: hasBias ? at.inputGradients[1] : nil, addingBias: hasBias && at.adds[1],
            form(at.shapes[0]), scratch: at.scratch)
    }

    private func draw(_ at: Workspace) -> DropoutDraw? {
        guard let dropout, at.dropsOut else { return nil }
        return DropoutDraw(dropRate: dropout.dropRate, site: dropout.site.number, keys: at.indices[0])
    }

    private func masks(_ form: AttentionShape) -> Int { (mask?.count ?? 0) / (form.tokens * form.tokens) }

    private func form(_ shape: Shape) -> AttentionShape {
        let (B, T, C) = shape.three
        let width = C / (3 * heads)
        return AttentionShape(
            batch: B, tokens: T, heads: heads, headWidth: width, scale: scale ?? 1 / Float(width).squareRoot(),
            dropsOut: dropout != nil)
    }
}
