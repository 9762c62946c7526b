import CKernels

extension WorkerPool {
    /// y = GELU(x + bias) = z·Φ(z) with z = x + bias and the exact normal distribution function; y may be x.
    /// x, y: rows × channels; bias: channels, or absent.
    public func biasGELU(_ x: Floats, bias: Floats?, into y: Floats, rows: Int, channels: Int) {
        precondition(x.count == rows * channels && y.count == x.count, "rows of another width")
        precondition((bias?.count ?? channels) == channels, "bias of another width")
        split(rows, grain: chunkRows(channels), (kernels: kernels, x: x.base, bias: bias?.base, y: y.base, channels)) {
            job, range in
            let at = range.lowerBound * job.4
            job.kernels.pointee.activation.bias_gelu(job.x + at, job.bias, job.y + at, range.count, job.4)
        }
    }

    /// Floats of scratch that `biasGELUBackward` asks for.
    public static func biasGELUScratch(rows: Int, channels: Int) -> Int { partialFloats(rows, width: channels) }

    /// dx (+)= dy·(Φ(z) + z·φ(z)) with z = x + bias; biasGradient (+)= the column sums of that product. dx may be dy
    /// unless `adding`.
    public func biasGELUBackward(
        _ x: Floats, bias: Floats?, _ dy: Floats, into dx: Floats, adding: Bool, biasGradient: Floats?,
        addingBias: Bool, rows: Int, channels: Int, scratch: Floats
    ) {
        precondition(x.count == rows * channels && dy.count == x.count && dx.count == x.count, "rows of another width")
        precondition((bias?.count ?? channels) == channels, "bias of another width")
        precondition((biasGradient?.count ?? channels) == channels, "bias gradient of another width")
        let cut = rowReduction(rows)
        precondition(biasGradient == nil || scratch.count >= cut.chunks * channels, "scratch too small")
        split(
            rows, grain: cut.grain,
            (
                kernels: kernels, x: x.base, bias: bias?.base, dy: dy.base, dx: dx.base,
                adding: adding ? 1 as Int32 : 0,
                partials: biasGradient == nil ? nil : scratch.base, channels: channels, grain: cut.grain
            )
        ) { job, range in
            let at = range.lowerBound * job.channels
            let partial = job.partials.map { $0 + range.lowerBound / job.grain * job.channels }
            partial?.update(repeating: 0, count: job.channels)
            job.kernels.pointee.activation.bias_gelu_backward(
                job.x + at, job.bias, job.dy + at, job.dx + at, job.adding, partial, range.count, job.channels)
        }
        if let biasGradient {
            addPartials(
                scratch.base, chunks: cut.chunks, stride: channels, into: biasGradient.base, channels,
                adding: addingBias)
        }
    }
}
