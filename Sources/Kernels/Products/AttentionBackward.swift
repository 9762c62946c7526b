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
    /// dp = dy·vᵀ and ds = p⊙(dp - Σ(y⊙dy)): dv = pᵀ·dy, dq = scale·ds·k, dk = scale·dsᵀ·q, dbias = Σ over samples of ds.
    /// Shared projections u receive the sum of dq, dk and dv, pᵀ·dy + scale·(ds + dsᵀ)·u: one product less.
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
    func compute(
        sample: Int, next: Int?, head: Int, scratch: UnsafeMutablePointer<Float>,
        logitSums: UnsafeMutablePointer<Float>?, addingLogits: Bool
    ) {
        let shape = inputs.shape
        let (dq, dk, dv) = shape.views(dqkv, sample: sample, head: head)
        let dy = shape.output(self.dy, sample: sample, head: head)
        let isShared = shape.projections == .shared
        func prefetchNext(_ rows: Range<Int>) {
            guard let next else { return }
            inputs.prefetch(inputs.projected, sample: next, head: head, rows: rows)
            inputs.prefetch(dqkv, sample: next, head: head, rows: rows)
            inputs.prefetch(shape.output(self.dy, sample: next, head: head), rows)
            if !shape.isSmall { inputs.prefetch(shape.output(output, sample: next, head: head), rows) }
        }
        if shape.isSmall {
            prefetchNext(0..<shape.tokens)
            var one = inputs.head(sample: sample, head: head)
            let addsRest: Int32 = adding || isShared ? 1 : 0
            var to = ck_head_gradients(
                dq: dq.base, dk: dk.base, dv: dv.base, adds_query: addsRest, adds_key: addsRest,
                adds_value: adding ? 1 : 0, logit_sums: logitSums, adds_logits: addingLogits ? 1 : 0)
            return inputs.kernels.pointee.attention.backward(&one, dy.base, dy.stride, &to, scratch)
        }
        let (n, width) = (shape.tokens, shape.headWidth)
        let (q, k, v) = shape.views(inputs.projected, sample: sample, head: head)
        let y = shape.output(output, sample: sample, head: head)
        let (p, dp) = (scratch, scratch + shape.blockRows * shape.tokens)
        let transposed = { (panel: Panel) in Panel(base: panel.base, stride: panel.stride, isTransposed: true) }
        let (pBlock, dpBlock) = (Panel(base: p, stride: n), Panel(base: dp, stride: n))
        inputs.blocks { block in
            let start = block.lowerBound
            // Keys and values gather from every block of queries, a query only from its own.
            let keeps = adding || start > 0
            let dyBlock = dy.from(row: start, column: 0)
            inputs.probabilities(sample: sample, head: head, block: block, into: p, ahead: prefetchNext)
            func multiplyValues() {
                inputs.kernels.multiply(
                    transposed(pBlock), dyBlock, into: dv, rows: n, columns: width, depth: block.count, adding: keeps)
            }
            if inputs.dropout == nil { multiplyValues() }
            inputs.kernels.multiply(dyBlock, transposed(v), into: dpBlock, rows: block.count, columns: n, depth: width)
            if let draw = inputs.dropout { inputs.drop(dp, draw, sample: sample, head: head, block: block) }
            if shape.usesSoftmax {
                inputs.kernels.pointee.softmax.softmax_backward(
                    p, dp, y.from(row: start, column: 0).base, dyBlock.base, width, shape.width,
                    logitSums.map { $0 + start * n }, addingLogits ? 1 : 0, block.count, n)
            }
            if let draw = inputs.dropout {
                inputs.drop(p, draw, sample: sample, head: head, block: block)
                multiplyValues()
            }
            if isShared, block.count == n {
                inputs.kernels.pointee.elementwise.add_transpose(dp, n)
                inputs.kernels.multiply(
                    dpBlock, k, into: dq, rows: n, columns: width, depth: n, scale: shape.scale, adding: true)
                return
            }
            inputs.kernels.multiply(
                transposed(dpBlock), q.from(row: start, column: 0), into: dk, rows: n, columns: width,
                depth: block.count, scale: shape.scale, adding: isShared || keeps)
            inputs.kernels.multiply(
                dpBlock, k, into: dq.from(row: start, column: 0), rows: block.count, columns: width, depth: n,
                scale: shape.scale, adding: isShared || adding)
        }
    }
}
