import CKernels

extension WorkerPool {
    /// y[r] = x[table[r]], or the token where the table has no row.
    public func fillRows(_ x: Floats, table: WindowTable, token: Floats, into y: Floats) {
        let channels = token.count
        precondition(table.taps == 1 && y.count == table.rows * channels, "a table of one tap over all rows")
        precondition(x.count == table.sources * channels, "rows of another count")
        split(
            table.rows, grain: chunkRows(channels),
            (
                kernels: kernels, x: x.base, table: table.entries.base, token: token.base, y: y.base,
                channels: channels
            )
        ) { job, range in
            job.kernels.pointee.window.fill(
                job.x, job.table + range.lowerBound, job.token, job.y + range.lowerBound * job.channels, range.count,
                job.channels)
        }
    }

    /// Floats of scratch that `fillRowsBackward` asks for.
    public static func fillScratch(rows: Int, channels: Int) -> Int { partialFloats(rows, width: channels) }

    /// tokenGradient (+)= Σ of dy over the rows without an entry.
    public func fillRowsBackward(
        _ dy: Floats, table: WindowTable, into tokenGradient: Floats, adding: Bool, scratch: Floats
    ) {
        let channels = tokenGradient.count
        let cut = rowReduction(table.rows)
        precondition(table.taps == 1 && dy.count == table.rows * channels, "a table of one tap over all rows")
        precondition(scratch.count >= cut.chunks * channels, "scratch too small")
        split(
            table.rows, grain: cut.grain,
            (
                kernels: kernels, table: table.entries.base, dy: dy.base, partials: scratch.base, channels: channels,
                grain: cut.grain
            )
        ) { job, range in
            let partial = job.partials + range.lowerBound / job.grain * job.channels
            partial.update(repeating: 0, count: job.channels)
            job.kernels.pointee.window.fill_sums(
                job.table + range.lowerBound, job.dy + range.lowerBound * job.channels, partial, range.count,
                job.channels)
        }
        addPartials(
            scratch.base, chunks: cut.chunks, stride: channels, into: tokenGradient.base, channels, adding: adding)
    }
}
