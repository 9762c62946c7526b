import CKernels

extension WorkerPool {
    /// y = token where the row's mask is not 0, else x; y may be x.
    /// x, y: rows × channels; mask: rows, 1 = masked; token: channels.
    public func maskedReplace(_ x: Floats, mask: Floats, token: Floats, into y: Floats, rows: Int, channels: Int) {
        precondition(x.count == rows * channels && y.count == x.count, "rows of another width")
        precondition(mask.count == rows && token.count == channels, "mask or token of another size")
        split(
            rows, grain: chunkRows(channels),
            (kernels: kernels, x: x.base, mask: mask.base, token: token.base, y: y.base, channels: channels)
        ) { job, range in
            let at = range.lowerBound * job.channels
            job.kernels.pointee.pixels.masked_replace(
                job.x + at, job.mask + range.lowerBound, job.token, job.y + at, range.count, job.channels)
        }
    }

    /// Floats of scratch that `maskedReplaceBackward` asks for.
    public static func maskedReplaceScratch(rows: Int, channels: Int) -> Int { partialFloats(rows, width: channels) }

    /// dx (+)= dy·(1 - mask), tokenGradient (+)= Σ of dy over the masked rows. dx may be dy unless `adding`.
    public func maskedReplaceBackward(
        mask: Floats, _ dy: Floats, into dx: Floats?, adding: Bool, tokenGradient: Floats?, addingToken: Bool,
        rows: Int, channels: Int, scratch: Floats
    ) {
        precondition(dy.count == rows * channels && (dx?.count ?? dy.count) == dy.count, "rows of another width")
        precondition(mask.count == rows && (tokenGradient?.count ?? channels) == channels, "mask or token size")
        let cut = rowReduction(rows)
        precondition(tokenGradient == nil || scratch.count >= cut.chunks * channels, "scratch too small")
        split(
            rows, grain: cut.grain,
            (
                kernels: kernels, mask: mask.base, dy: dy.base, dx: dx?.base, adding: adding ? 1 as Int32 : 0,
                partials: tokenGradient == nil ? nil : scratch.base, channels: channels, grain: cut.grain
            )
        ) { job, range in
            let at = range.lowerBound * job.channels
            let partial = job.partials.map { $0 + range.lowerBound / job.grain * job.channels }
            partial?.update(repeating: 0, count: job.channels)
            job.kernels.pointee.pixels.masked_replace_backward(
                job.mask + range.lowerBound, job.dy + at, job.dx.map { $0 + at }, job.adding, partial, range.count,
                job.channels)
        }
        if let tokenGradient {
            addPartials(
                scratch.base, chunks: cut.chunks, stride: channels, into: tokenGradient.base, channels,
                adding: addingToken)
        }
    }
}
