import CKernels

extension WorkerPool {
    /// y = x + keep·scale⊙branch; y may be x.
    /// x, branch, y: (samples·rowsPerSample) × channels; scale: channels; keep: one factor a sample, 0 or 1/(1 - p).
    public func residual(
        _ x: Floats, _ branch: Floats, scale: Floats?, keep: Floats?, into y: Floats, samples: Int,
        rowsPerSample: Int, channels: Int
    ) {
        let rows = samples * rowsPerSample
        precondition(x.count == rows * channels && branch.count == x.count && y.count == x.count, "rows do not match")
        precondition((scale?.count ?? channels) == channels && (keep?.count ?? samples) == samples, "factors do not")
        split(
            rows, grain: chunkRows(channels),
            (
                kernels: kernels, x: x.base, branch: branch.base, scale: scale?.base, keep: keep?.base, y: y.base,
                perSample: rowsPerSample, channels: channels
            )
        ) { job, range in
            var row = range.lowerBound
            while row < range.upperBound {
                let sample = row / job.perSample
                let rows = min(range.upperBound, (sample + 1) * job.perSample) - row
                let at = row * job.channels
                job.kernels.pointee.elementwise.residual(
                    job.x + at, job.branch + at, job.scale, job.keep?[sample] ?? 1, job.y + at, rows, job.channels)
                row += rows
            }
        }
    }

    /// Floats of scratch that `residualBackward` asks for when it computes the scale's gradient.
    public static func residualScratch(rows: Int, channels: Int) -> Int { partialFloats(rows, width: channels) }

    /// dBranch (+)= keep·scale⊙dy; scaleGradient (+)= Σ over rows of keep·branch⊙dy. The gradient of x is dy itself.
    public func residualBackward(
        _ branch: Floats, scale: Floats?, keep: Floats?, _ dy: Floats, into dBranch: Floats?, adding: Bool,
        scaleGradient: Floats?, addingScale: Bool, samples: Int, rowsPerSample: Int, channels: Int, scratch: Floats
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
                kernels: kernels, branch: branch.base, scale: scale?.base, keep: keep?.base, dy: dy.base,
                dBranch: dBranch?.base, adding: adding ? 1 as Int32 : 0,
                partials: scaleGradient == nil ? nil : scratch.base, perSample: rowsPerSample, channels: channels,
                grain: cut.grain
            )
        ) { job, range in
            let partial = job.partials.map { $0 + range.lowerBound / job.grain * job.channels }
            partial?.update(repeating: 0, count: job.channels)
            var row = range.lowerBound
            while row < range.upperBound {
                let sample = row / job.perSample
                let rows = min(range.upperBound, (sample + 1) * job.perSample) - row
                let at = row * job.channels
                // Without a scale gradient `branch` may be empty; its address is then never read.
                job.kernels.pointee.elementwise.residual_backward(
                    partial == nil ? job.dy + at : job.branch + at, job.scale, job.keep?[sample] ?? 1, job.dy + at,
                    job.dBranch.map { $0 + at }, job.adding, partial, rows, job.channels)
                row += rows
            }
        }
        if let scaleGradient {
            addPartials(
                scratch.base, chunks: cut.chunks, stride: channels, into: scaleGradient.base, channels,
                adding: addingScale)
        }
    }
}
