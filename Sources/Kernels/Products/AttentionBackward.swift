import CKernels

/// How backward is cut: chunks of one head and a group of samples, so that the bias gradient of a head is summed over
/// the samples of a group in order, and over the groups in order. The number of groups depends on the shape alone and
/// keeps several threads busy when heads are few.
struct AttentionBackwardCut {
    let groups: Int
    let samplesPerGroup: Int

    init(_ shape: AttentionShape) {
        let wanted = (AttentionShape.slots + shape.heads - 1) / max(shape.heads, 1)
        samplesPerGroup = max(1, (shape.batch + wanted - 1) / wanted)
        groups = (shape.batch + samplesPerGroup - 1) / samplesPerGroup
    }
}

extension WorkerPool {
    /// Floats of scratch that `attentionBackward` asks for.
    public static func attentionBackwardScratch(
        _ shape: AttentionShape, masks: Int = 0, withBiasGradient: Bool
    ) -> Int {
        let chunks = AttentionBackwardCut(shape).groups * shape.heads
        let held = chunks * shape.chunkScratch(matrices: 2) + shape.panelScratch(masks: masks)
        return held + (withBiasGradient ? chunks * shape.logitFloats : 0)
    }

    /// The gradient of `attention`, with the probabilities computed again from qkv. With p the probabilities,
    /// dp = dy·vᵀ and ds = p⊙(dp - Σ(y⊙dy)): dv = pᵀ·dy, dq = scale·ds·k, dk = scale·dsᵀ·q, dbias = Σ over samples of
    /// ds. Shared projections u receive the sum of dq, dk and dv, pᵀ·dy + scale·(ds + dsᵀ)·u: one product less.
    /// With dropout's factors m: dp = m⊙(dy·vᵀ) and dv = (m⊙p)ᵀ·dy.
    public func attentionBackward(
        _ qkv: Floats, bias: Floats?, mask: Floats? = nil, dropout: DropoutDraw? = nil, output: Floats, _ dy: Floats,
        into dqkv: Floats, adding: Bool, biasGradient: Floats?, addingBias: Bool, _ shape: AttentionShape,
        scratch: Floats
    ) {
        let square = shape.tokens * shape.tokens
        precondition(output.count == shape.rows * shape.width && dy.count == output.count, "output of another size")
        precondition(dqkv.count == qkv.count, "gradient of another size")
        precondition((biasGradient?.count ?? shape.heads * square) == shape.heads * square, "bias gradient size")
        let masks = mask == nil ? 0 : shape.masks(bias: bias, mask: mask)
        let needed = WorkerPool.attentionBackwardScratch(
            shape, masks: masks, withBiasGradient: biasGradient != nil)
        precondition(scratch.count >= needed, "scratch too small")
        let cut = AttentionBackwardCut(shape)
        let chunks = cut.groups * shape.heads
        let panels = scratch.base + chunks * shape.chunkScratch(matrices: 2)
        let inputs = AttentionInputs(self, qkv, bias: bias, mask: mask, dropout: dropout, shape, panels: panels)
        let sums = biasGradient == nil ? nil : panels + shape.panelScratch(masks: masks)
        let gradients = AttentionGradients(
            inputs: inputs, output: output.base, dy: dy.base, dqkv: dqkv.base, adding: adding)
        split(chunks, grain: 1, (gradients: gradients, cut: cut, scratch: scratch.base, sums: sums)) { job, chunks in
            let shape = job.gradients.inputs.shape
            for chunk in chunks {
                let (group, head) = (chunk / shape.heads, chunk % shape.heads)
                let first = group * job.cut.samplesPerGroup
                let end = min(shape.batch, first + job.cut.samplesPerGroup)
                for sample in first..<end {
                    job.gradients.compute(
                        sample: sample, next: sample + 1 < end ? sample + 1 : nil, head: head,
                        scratch: job.scratch + chunk * shape.chunkScratch(matrices: 2),
                        logitSums: job.sums.map { $0 + chunk * shape.logitFloats }, addingLogits: sample > first)
                }
            }
        }
        if let biasGradient, let sums {
            addLogits(sums, groups: cut.groups, into: biasGradient.base, adding: addingBias, shape)
        }
    }

    /// dBias (+)= Σ over groups of the sums of each head, in their order.
    private func addLogits(
        _ sums: UnsafeMutablePointer<Float>, groups: Int, into dBias: UnsafeMutablePointer<Float>, adding: Bool,
        _ shape: AttentionShape
    ) {
        let all = shape.heads * shape.logitFloats
        guard shape.isSmall else {
            return addPartials(sums, chunks: groups, stride: all, into: dBias, all, adding: adding)
        }
        if groups > 1 { addPartials(sums + all, chunks: groups - 1, stride: all, into: sums, all, adding: true) }
        // The kernel has keys down and queries across.
        split(shape.heads, grain: 1, (kernels: kernels, sums: sums, dBias: dBias, adding: adding, shape: shape)) {
            job, heads in
            let tokens = job.shape.tokens, padded = ck_padded(tokens)
            for head in heads {
                let from = job.sums + head * job.shape.logitFloats, to = job.dBias + head * tokens * tokens
                for query in 0..<tokens {
                    let row = to + query * tokens
                    for key in 0..<tokens { row[key] = (job.adding ? row[key] : 0) + from[key * padded + query] }
                }
            }
        }
    }
}

private struct AttentionGradients {
    let inputs: AttentionInputs
    let output, dy, dqkv: UnsafeMutablePointer<Float>
    let adding: Bool

    /// One head of one sample. `scratch` holds `AttentionShape.chunkScratch` floats.
    /// - Parameter next: the sample that comes next, whose memory is asked for ahead.
    func compute(
        sample: Int, next: Int?, head: Int, scratch: UnsafeMutablePointer<Float>,
        logitSums: UnsafeMutablePointer<Float>?, addingLogits: Bool
    ) {
        let shape = inputs.shape
        guard shape.isSmall else {
            return inputs.blocks { block in
                compute(
                    block, sample: sample, next: next, head: head, scratch: scratch, logitSums: logitSums,
                    addingLogits: addingLogits)
            }
        }
        prefetch(next, head: head, 0..<shape.tokens)
        let (dq, dk, dv) = shape.views(dqkv, sample: sample, head: head)
        let dy = shape.output(self.dy, sample: sample, head: head)
        var one = inputs.head(sample: sample, head: head)
        let addsRest: Int32 = adding || shape.projections == .shared ? 1 : 0
        var to = ck_head_gradients(
            dq: dq.base, dk: dk.base, dv: dv.base, adds_query: addsRest, adds_key: addsRest,
            adds_value: adding ? 1 : 0, logit_sums: logitSums, adds_logits: addingLogits ? 1 : 0)
        inputs.kernels.pointee.attention.backward(&one, dy.base, dy.stride, &to, scratch)
    }

    /// The query rows `block` of one head of one sample. Keys and values gather from every block of queries, a query
    /// only from its own.
    private func compute(
        _ block: Range<Int>, sample: Int, next: Int?, head: Int, scratch: UnsafeMutablePointer<Float>,
        logitSums: UnsafeMutablePointer<Float>?, addingLogits: Bool
    ) {
        let (shape, start) = (inputs.shape, block.lowerBound)
        let (n, width, keeps) = (shape.tokens, shape.headWidth, adding || start > 0)
        let v = shape.views(inputs.projected, sample: sample, head: head).v
        let dv = shape.views(dqkv, sample: sample, head: head).v
        let y = shape.output(output, sample: sample, head: head).from(row: start, column: 0)
        let dy = shape.output(self.dy, sample: sample, head: head).from(row: start, column: 0)
        let p = Panel(base: scratch, stride: n), dp = Panel(base: scratch + shape.blockRows * n, stride: n)
        inputs.probabilities(sample: sample, head: head, block: block, into: p.base) {
            prefetch(next, head: head, $0)
        }
        if inputs.dropout == nil {
            inputs.kernels.multiply(
                p.transposed, dy, into: dv, rows: n, columns: width, depth: block.count, adding: keeps)
        }
        inputs.kernels.multiply(dy, v.transposed, into: dp, rows: block.count, columns: n, depth: width)
        if let draw = inputs.dropout { inputs.drop(dp.base, draw, sample: sample, head: head, block: block) }
        if shape.usesSoftmax {
            inputs.kernels.pointee.softmax.softmax_backward(
                p.base, dp.base, y.base, dy.base, width, shape.width, logitSums.map { $0 + start * n },
                addingLogits ? 1 : 0, block.count, n)
        }
        if let draw = inputs.dropout {
            inputs.drop(p.base, draw, sample: sample, head: head, block: block)
            inputs.kernels.multiply(
                p.transposed, dy, into: dv, rows: n, columns: width, depth: block.count, adding: keeps)
        }
        addProjections(dp, block, sample: sample, head: head)
    }

    /// With ds the gradient of a block's logits: dk (+)= scale·dsᵀ·q and dq (+)= scale·ds·k; where both are one
    /// projection u and the block is whole, (ds + dsᵀ)·u at once.
    private func addProjections(_ ds: Panel, _ block: Range<Int>, sample: Int, head: Int) {
        let (shape, start, isShared) = (inputs.shape, block.lowerBound, inputs.shape.projections == .shared)
        let (n, width) = (shape.tokens, shape.headWidth)
        let (q, k, _) = shape.views(inputs.projected, sample: sample, head: head)
        let (dq, dk, _) = shape.views(dqkv, sample: sample, head: head)
        if isShared, block.count == n {
            inputs.kernels.pointee.elementwise.add_transpose(ds.base, n)
            return inputs.kernels.multiply(
                ds, k, into: dq, rows: n, columns: width, depth: n, scale: shape.scale, adding: true)
        }
        inputs.kernels.multiply(
            ds.transposed, q.from(row: start, column: 0), into: dk, rows: n, columns: width, depth: block.count,
            scale: shape.scale, adding: isShared || adding || start > 0)
        inputs.kernels.multiply(
            ds, k, into: dq.from(row: start, column: 0), rows: block.count, columns: width, depth: n,
            scale: shape.scale, adding: isShared || adding)
    }

    private func prefetch(_ sample: Int?, head: Int, _ rows: Range<Int>) {
        guard let sample else { return }
        inputs.prefetch(inputs.projected, sample: sample, head: head, rows: rows)
        inputs.prefetch(dqkv, sample: sample, head: head, rows: rows)
        inputs.prefetch(inputs.shape.output(dy, sample: sample, head: head), rows)
        if !inputs.shape.isSmall { inputs.prefetch(inputs.shape.output(output, sample: sample, head: head), rows) }
    }
}
