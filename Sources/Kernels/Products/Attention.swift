import CKernels

/// Extents of a multi-head attention over `batch` samples (or windows) of `tokens` rows.
public struct AttentionShape: Sendable {
    /// The layout of a row of the projections.
    public enum Projections: Sendable {
        /// [q | k | v], each head-major: 3·heads·headWidth channels.
        case separate
        /// One projection serves as query, key and value: heads·headWidth channels (CRATE's subspaces).
        case shared
    }

    public let batch, tokens, heads, headWidth: Int
    /// Factor on q·kᵀ, usually 1/√headWidth.
    public let scale: Float
    public let projections: Projections
    /// Whether the softmax of the logits weighs the values, or the logits themselves.
    public let usesSoftmax: Bool
    /// Probabilities are dropped at random; a call then brings the draws.
    public let dropsOut: Bool

    public init(
        batch: Int, tokens: Int, heads: Int, headWidth: Int, scale: Float, projections: Projections = .separate,
        usesSoftmax: Bool = true, dropsOut: Bool = false
    ) {
        self.batch = batch
        self.tokens = tokens
        self.heads = heads
        self.headWidth = headWidth
        self.scale = scale
        self.projections = projections
        self.usesSoftmax = usesSoftmax
        self.dropsOut = dropsOut
    }

    public var rows: Int { batch * tokens }
    /// heads·headWidth, the channels of the output.
    public var width: Int { heads * headWidth }
    /// Channels of a row of the projections.
    public var projectedWidth: Int { projections == .separate ? 3 * width : width }

    /// Query rows whose logits are held at once: all of them up to 156 tokens, then equal parts of at most about 96
    /// KiB, so that logits, their gradients and the products' own buffers share the second-level cache. Shared
    /// projections hold all rows up to 256 tokens: their backward saves a product where it sees the whole square.
    var blockRows: Int {
        if projections == .shared, tokens <= 256 { return tokens }
        let blocks = (tokens * tokens + AttentionShape.blockFloats - 1) / AttentionShape.blockFloats
        return blocks <= 1 ? tokens : ((tokens + blocks - 1) / blocks + 15) / 16 * 16
    }

    private static let blockFloats = 24_576

    /// A head of so few tokens is one call of a kernel, from its logits to its gradients, with all of them in cache.
    /// Longer ones are products, and so are shared projections, whose backward saves one of them, and probabilities
    /// that are dropped at random.
    var isSmall: Bool { tokens <= 256 && projections == .separate && usesSoftmax && !dropsOut }
    /// Floats of the logits of one head, with the padding that the kernel wants.
    var logitFloats: Int { tokens * (isSmall ? ck_padded(tokens) : tokens) }
    /// Floats of scratch of one chunk.
    func chunkScratch(matrices: Int) -> Int {
        isSmall ? ck_attention_scratch(tokens, headWidth) : matrices * blockRows * tokens
    }
    /// Floats of the biases and masks in the kernel's layout.
    func panelScratch(masks: Int) -> Int { isSmall ? (heads + masks) * logitFloats : 0 }

    /// Chunks that the (sample, head) pairs are cut into; each has scratch of its own, used again for every pair.
    static let slots = 16

    /// (sample, head) pairs of a chunk.
    var pairsPerSlot: Int { max(1, (batch * heads + AttentionShape.slots - 1) / AttentionShape.slots) }
    var usedSlots: Int { (batch * heads + pairsPerSlot - 1) / pairsPerSlot }

    /// Query, key and value of one head of one sample within `base`, which has the layout of the projections.
    func views(_ base: UnsafeMutablePointer<Float>, sample: Int, head: Int) -> (q: Panel, k: Panel, v: Panel) {
        let step = projections == .separate ? width : 0
        let start = base + sample * tokens * projectedWidth + head * headWidth
        let view = { (part: Int) in Panel(base: start + part * step, stride: self.projectedWidth) }
        return (view(0), view(1), view(2))
    }

    /// The rows of one head of one sample within a matrix of rows × width.
    func output(_ base: UnsafeMutablePointer<Float>, sample: Int, head: Int) -> Panel {
        Panel(base: base + sample * tokens * width + head * headWidth, stride: width)
    }

    /// Checks the biases of a call and gives the number of masks.
    func masks(bias: Floats?, mask: Floats?) -> Int {
        let square = tokens * tokens
        precondition((bias?.count ?? heads * square) == heads * square, "bias is not heads × tokens × tokens")
        guard let mask else { return 1 }
        precondition(mask.count > 0 && mask.count % square == 0, "mask is not windows × tokens × tokens")
        precondition(batch % (mask.count / square) == 0, "samples are not whole sets of windows")
        return mask.count / square
    }
}

/// Inputs of both directions: the projections and what is added to the logits.
struct AttentionInputs {
    let kernels: UnsafePointer<ck_table>
    let shape: AttentionShape
    let projected: UnsafeMutablePointer<Float>
    let bias: UnsafeMutablePointer<Float>?
    let mask: UnsafeMutablePointer<Float>?
    let masks: Int
    let dropout: DropoutDraw?

    /// - Parameter panels: `AttentionShape.panelScratch` floats; takes biases and masks in the kernel's layout.
    init(
        _ pool: WorkerPool, _ projected: Floats, bias: Floats?, mask: Floats?, dropout: DropoutDraw? = nil,
        _ shape: AttentionShape, panels: UnsafeMutablePointer<Float>
    ) {
        precondition(dropout.map { $0.samples == shape.batch && shape.dropsOut } ?? true, "draws of another shape")
        self.dropout = dropout
        precondition(projected.count == shape.rows * shape.projectedWidth, "projections of another size")
        kernels = pool.kernels
        self.shape = shape
        self.projected = projected.base
        precondition(shape.usesSoftmax || (bias == nil && mask == nil), "logits without softmax take no bias")
        let masks = shape.masks(bias: bias, mask: mask)
        self.masks = masks
        guard shape.isSmall else {
            self.bias = bias?.base
            self.mask = mask?.base
            return
        }
        let maskPanels = panels + shape.heads * shape.logitFloats
        self.bias = bias.map { pool.layPanels($0.base, shape.heads, shape, into: panels) }
        self.mask = mask.map { pool.layPanels($0.base, masks, shape, into: maskPanels) }
    }

    /// One head of one sample for the kernel of small ones.
    func head(sample: Int, head: Int) -> ck_head {
        let (q, k, v) = shape.views(projected, sample: sample, head: head)
        return ck_head(
            q: q.base, k: k.base, v: v.base, stride: q.stride, tokens: shape.tokens, width: shape.headWidth,
            scale: shape.scale, bias: bias.map { $0 + head * shape.logitFloats },
            mask: mask.map { $0 + sample % masks * shape.logitFloats })
    }

    /// p = softmax(scale·q·kᵀ + bias + mask) for the query rows `block`. `ahead` is called with a few of these rows at
    /// a time: the place to ask for the same rows of the next pair, whose memory then arrives behind the arithmetic.
    func probabilities(
        sample: Int, head: Int, block: Range<Int>, into p: UnsafeMutablePointer<Float>, ahead: (Range<Int>) -> Void
    ) {
        let (n, square) = (shape.tokens, shape.tokens * shape.tokens)
        let (q, k, _) = shape.views(projected, sample: sample, head: head)
        let transposed = Panel(base: k.base, stride: k.stride, isTransposed: true)
        kernels.multiply(
            q.from(row: block.lowerBound, column: 0), transposed, into: Panel(base: p, stride: n),
            rows: block.count, columns: n, depth: shape.headWidth, scale: shape.scale)
        var start = block.lowerBound
        while start < block.upperBound {
            let rows = start..<min(start + 16, block.upperBound)
            ahead(rows)
            if shape.usesSoftmax {
                kernels.pointee.softmax.softmax(
                    p + (start - block.lowerBound) * n, bias.map { $0 + head * square + start * n },
                    mask.map { $0 + sample % masks * square + start * n }, rows.count, n)
            }
            start = rows.upperBound
        }
    }

    /// Drops some of the probabilities of `probabilities`, or of their gradients.
    func drop(_ p: UnsafeMutablePointer<Float>, _ dropout: DropoutDraw, sample: Int, head: Int, block: Range<Int>) {
        kernels.pointee.dropout.apply(
            p, p, 0, dropout.raw(sample: sample), UInt32(head * shape.tokens + block.lowerBound), block.count,
            shape.tokens)
    }

    /// Asks for rows of query, key and value, or of their gradients when `base` is where these lie.
    func prefetch(_ base: UnsafeMutablePointer<Float>, sample: Int, head: Int, rows: Range<Int>) {
        let (q, k, v) = shape.views(base, sample: sample, head: head)
        prefetch(q, rows)
        if shape.projections == .separate {
            prefetch(k, rows)
            prefetch(v, rows)
        }
    }

    /// Asks for rows of one head within a matrix.
    func prefetch(_ panel: Panel, _ rows: Range<Int>) {
        kernels.pointee.softmax.prefetch_rows(
            panel.from(row: rows.lowerBound, column: 0).base, rows.count, shape.headWidth, panel.stride)
    }

    /// The ranges of query rows that are held at once.
    func blocks(_ body: (Range<Int>) -> Void) {
        var start = 0
        while start < shape.tokens {
            let end = min(shape.tokens, start + shape.blockRows)
            body(start..<end)
            start = end
        }
    }
}

extension WorkerPool {
    /// The weights of `attention`, for people to look at: (batch, heads, tokens, tokens), a row per query.
    public func attentionWeights(_ qkv: Floats, into weights: Floats, _ shape: AttentionShape) {
        let square = shape.tokens * shape.tokens
        precondition(weights.count == shape.batch * shape.heads * square, "weights of another size")
        // Without biases nothing is laid out in the panels.
        let inputs = AttentionInputs(self, qkv, bias: nil, mask: nil, shape, panels: weights.base)
        split(shape.batch * shape.heads, grain: 1, (inputs: inputs, weights: weights.base, square: square)) {
            job, pairs in
            for pair in pairs {
                let heads = job.inputs.shape.heads
                job.inputs.probabilities(
                    sample: pair / heads, head: pair % heads, block: 0..<job.inputs.shape.tokens,
                    into: job.weights + pair * job.square
                ) { _ in }
            }
        }
    }

    /// Floats of scratch that `attention` asks for.
    public static func attentionScratch(_ shape: AttentionShape, masks: Int = 0) -> Int {
        shape.usedSlots * shape.chunkScratch(matrices: 1) + shape.panelScratch(masks: masks)
    }

    /// Lays square matrices of logits as the kernel of small heads wants them, and gives where they are.
    fileprivate func layPanels(
        _ squares: UnsafeMutablePointer<Float>, _ count: Int, _ shape: AttentionShape,
        into panels: UnsafeMutablePointer<Float>
    ) -> UnsafeMutablePointer<Float> {
        split(count, grain: 8, (kernels: kernels, squares: squares, shape: shape, panels: panels)) { job, range in
            let tokens = job.shape.tokens
            for square in range {
                job.kernels.pointee.attention.transpose(
                    job.squares + square * tokens * tokens, tokens, tokens, tokens,
                    job.panels + square * job.shape.logitFloats, ck_padded(tokens))
            }
        }
        return panels
    }

    /// y = softmax(scale·q·kᵀ + bias + mask)·v for every sample and head. Probabilities of a head are made and used in
    /// cache; they never exist for the whole batch.
    /// qkv: (batch·tokens) × projectedWidth; y: (batch·tokens) × (heads·headWidth); bias: heads × tokens × tokens;
    /// mask: windows × tokens × tokens, sample s takes s mod windows. With `dropout` some of the probabilities are left
    /// out after softmax.
    public func attention(
        _ qkv: Floats, bias: Floats?, mask: Floats? = nil, dropout: DropoutDraw? = nil, into y: Floats,
        _ shape: AttentionShape, scratch: Floats
    ) {
        precondition(y.count == shape.rows * shape.width, "output of another size")
        let masks = mask == nil ? 0 : shape.masks(bias: bias, mask: mask)
        precondition(scratch.count >= WorkerPool.attentionScratch(shape, masks: masks), "scratch too small")
        let panels = scratch.base + shape.usedSlots * shape.chunkScratch(matrices: 1)
        let inputs = AttentionInputs(self, qkv, bias: bias, mask: mask, dropout: dropout, shape, panels: panels)
        split(shape.batch * shape.heads, grain: shape.pairsPerSlot, (inputs: inputs, y: y.base, scratch: scratch.base))
        {
            job, pairs in
            let (inputs, shape) = (job.inputs, job.inputs.shape)
            let p = job.scratch + pairs.lowerBound / shape.pairsPerSlot * shape.chunkScratch(matrices: 1)
            for pair in pairs {
                let (sample, head) = (pair / shape.heads, pair % shape.heads)
                let v = shape.views(inputs.projected, sample: sample, head: head).v
                let y = shape.output(job.y, sample: sample, head: head)
                func prefetchNext(_ rows: Range<Int>) {
                    guard pair + 1 < pairs.upperBound else { return }
                    let (sample, head) = ((pair + 1) / shape.heads, (pair + 1) % shape.heads)
                    inputs.prefetch(inputs.projected, sample: sample, head: head, rows: rows)
                    inputs.prefetch(shape.output(job.y, sample: sample, head: head), rows)
                }
                if shape.isSmall {
                    prefetchNext(0..<shape.tokens)
                    var one = inputs.head(sample: sample, head: head)
                    inputs.kernels.pointee.attention.forward(&one, y.base, y.stride, p)
                    continue
                }
                inputs.blocks { block in
                    inputs.probabilities(sample: sample, head: head, block: block, into: p, ahead: prefetchNext)
                    if let draw = inputs.dropout { inputs.drop(p, draw, sample: sample, head: head, block: block) }
                    inputs.kernels.multiply(
                        Panel(base: p, stride: shape.tokens), v, into: y.from(row: block.lowerBound, column: 0),
                        rows: block.count, columns: shape.headWidth, depth: shape.tokens)
                }
            }
        }
    }
}
