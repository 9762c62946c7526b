import CKernels

extension WorkerPool {
    /// y = x + keep·scale⊙branch; y may be x.
    /// x, branch, y: (samples·rowsPerSample) × channels; scale: channels; keep: one factor a sample, 0 or 1/(1 - p).
    /// - Parameter order: which row of its sample in x and y each row of the branch belongs to.
    public func residual(
        _ x: Floats, _ branch: Floats, order: RowOrder? = nil, scale: Floats?, keep: Floats?, into y: Floats,
        samples: Int, rowsPerSample: Int, channels: Int
    ) {
        let rows = samples * rowsPerSample
        precondition(x.count == rows * channels && branch.count == x.count && y.count == x.count, "rows do not match")
        precondition((scale?.count ?? channels) == channels && (keep?.count ?? samples) == samples, "factors do not")
        split(
            rows, grain: chunkRows(channels),
            (
                kernels: kernels, x: x.base, branch: branch.base,
                rows: OrderedRows(order, rows: rows, perSample: rowsPerSample), scale: scale?.base, keep: keep?.base,
                y: y.base, perSample: rowsPerSample, channels: channels
            )
        ) { job, range in
            job.rows.pieces(range) { rows, start, order in
                job.kernels.pointee.elementwise.residual(
                    job.x + start * job.channels, job.branch + rows.lowerBound * job.channels, order, job.scale,
                    job.keep?[rows.lowerBound / job.perSample] ?? 1, job.y + start * job.channels, rows.count,
                    job.channels)
            }
        }
    }

    /// Floats of scratch that `residualBackward` asks for when it computes the scale's gradient.
    public static func residualScratch(rows: Int, channels: Int) -> Int { partialFloats(rows, width: channels) }

    /// dBranch (+)= keep·scale⊙dy; scaleGradient (+)= Σ over rows of keep·branch⊙dy. The gradient of x is dy itself.
    public func residualBackward(
        _ branch: Floats, order: RowOrder? = nil, scale: Floats?, keep: Floats?, _ dy: Floats, into dBranch: Floats?,
        adding: Bool, scaleGradient: Floats?, addingScale: Bool, samples: Int, rowsPerSample: Int, channels: Int,
        scratch: Floats
    ) {
        let rows = samples * rowsPerSample
        precondition(dy.count == rows * channels && (dBranch?.count ?? dy.count) == dy.count, "rows do not match")
        precondition(scaleGradient == nil || branch.count == dy.count, "the branch's rows do not match")
        precondition((scale?.count ?? channels) == channels && (keep?.count ?? samples) == samples, "factors do not")
        precondition((scaleGradient?.count ?? channels) == channels, "scale gradient of another width")
        let cut = rowReduction(rows)
        precondition(scaleGradient == nil || scratch.count >= cut.chunks * channels, "scratch too small")
        split(
            rows, grain: cut.grain,
            (
                kernels: kernels, branch: branch.base,
                rows: OrderedRows(order, rows: rows, perSample: rowsPerSample), scale: scale?.base, keep: keep?.base,
                dy: dy.base, dBranch: dBranch?.base, adding: adding ? 1 as Int32 : 0,
                partials: scaleGradient == nil ? nil : scratch.base, perSample: rowsPerSample, channels: channels,
                grain: cut.grain
            )
        ) { job, range in
            let partial = job.partials.map { $0 + range.lowerBound / job.grain * job.channels }
            partial?.update(repeating: 0, count: job.channels)
            job.rows.pieces(range) { rows, start, order in
                let at = rows.lowerBound * job.channels
                // Without a scale gradient `branch` may be empty; its address is then never read.
                job.kernels.pointee.elementwise.residual_backward(
                    partial == nil ? job.dy : job.branch + at, order, job.scale,
                    job.keep?[rows.lowerBound / job.perSample] ?? 1, job.dy + start * job.channels,
                    job.dBranch.map { $0 + at }, job.adding, partial, rows.count, job.channels)
            }
        }
        if let scaleGradient {
            addPartials(
                scratch.base, chunks: cut.chunks, stride: channels, into: scaleGradient.base, channels,
                adding: addingScale)
        }
    }
}
