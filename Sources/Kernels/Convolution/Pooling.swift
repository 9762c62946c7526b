import CKernels

extension WorkerPool {
    /// y = the largest value among the taps inside the map, masked ones counting as 0; the first of equal ones wins.
    /// - Parameter winners: a byte for each value of y: the tap that won.
    public func maxPool(
        _ x: Floats, windows: WindowTable, into y: Floats, winners: Bytes, channels: Int, scratch: Floats
    ) {
        let rows = checked(x, windows, y, channels: channels)
        precondition(winners.count >= y.count && windows.taps <= 256, "a byte for each output")
        let zeros = zeroRow(scratch, channels)
        let pieces = WindowPieces(rows, windows)
        split(
            pieces.count, grain: 1,
            (
                pieces: pieces, kernels: kernels, x: x.base, windows: windows, y: y.base, winners: winners.base,
                zeros: zeros, channels: channels
            )
        ) { job, range in
            for piece in range {
                let part = job.pieces[piece]
                let at = part.repetition * job.windows.rows * job.channels
                job.kernels.pointee.window.max_pool(
                    part.windows(job.x, job.windows, channels: job.channels, zeros: job.zeros), job.y + at,
                    job.winners + at,
                    part.rows.lowerBound, part.rows.upperBound)
            }
        }
    }

    /// dx[i] (+)= Σ of dy over the outputs that x[i] won.
    /// - Parameters:
    ///   - outputs: the outputs that read each source row, in the groups' columns.
    ///   - side: rows of the outputs along a line of their grid, which is `factor` times as coarse as the source's.
    public func maxPoolBackward(
        _ dy: Floats, winners: Bytes, outputs: WindowTable, groups: [TapProduct.Group], side: Int, factor: Int,
        into dx: Floats, adding: Bool, channels: Int
    ) {
        let rows = checked(dy, outputs, dx, channels: channels, factor: factor)
        precondition(winners.count >= dy.count, "a byte for each output")
        let pieces = WindowPieces(rows, outputs)
        for group in groups {
            split(
                pieces.count, grain: 1,
                (
                    pieces: pieces, kernels: kernels, dy: dy.base, winners: winners.base, windows: outputs,
                    group: group,
                    spread: ck_spread(side: side, factor: factor, down: group.down, right: group.right),
                    adding: adding ? 1 as Int32 : 0, dx: dx.base, channels: channels
                )
            ) { job, range in
                for piece in range {
                    let part = job.pieces[piece]
                    let (table, channels) = (job.windows, job.channels)
                    let source = part.windows(job.dy, table, channels: channels, group: job.group)
                    job.kernels.pointee.window.max_pool_backward(
                        source, job.winners + part.repetition * table.sources * channels, job.group.taps.base,
                        job.adding,
                        job.dx + part.repetition * table.rows * job.spread.factor * job.spread.factor * channels,
                        job.spread, part.rows.lowerBound, part.rows.upperBound)
                }
            }
        }
    }

    /// y = Σ over active taps / the number of taps, or of those inside the map where padding does not count.
    /// - Parameter shares: the reciprocal of the divisor of each row of y.
    public func averagePool(
        _ x: Floats, windows: WindowTable, countsPadding: Bool, into y: Floats, shares: Floats, channels: Int
    ) {
        let rows = checked(x, windows, y, channels: channels)
        precondition(shares.count >= rows, "a share for each row")
        let pieces = WindowPieces(rows, windows)
        split(
            pieces.count, grain: 1,
            (
                pieces: pieces, kernels: kernels, x: x.base, windows: windows, counts: countsPadding ? 1 as Int32 : 0,
                y: y.base,
                shares: shares.base, channels: channels
            )
        ) { job, range in
            for piece in range {
                let part = job.pieces[piece]
                let first = part.repetition * job.windows.rows
                job.kernels.pointee.window.average_pool(
                    part.windows(job.x, job.windows, channels: job.channels, zeros: job.x), job.counts,
                    job.y + first * job.channels, job.shares + first, part.rows.lowerBound, part.rows.upperBound)
            }
        }
    }

    /// dx[i] (+)= Σ of share·dy over the outputs that read x[i].
    public func averagePoolBackward(
        _ dy: Floats, shares: Floats, outputs: WindowTable, groups: [TapProduct.Group], side: Int, factor: Int,
        into dx: Floats, adding: Bool, channels: Int
    ) {
        let rows = checked(dy, outputs, dx, channels: channels, factor: factor)
        let pieces = WindowPieces(rows, outputs)
        for group in groups {
            split(
                pieces.count, grain: 1,
                (
                    pieces: pieces, kernels: kernels, dy: dy.base, shares: shares.base, windows: outputs, group: group,
                    spread: ck_spread(side: side, factor: factor, down: group.down, right: group.right),
                    adding: adding ? 1 as Int32 : 0, dx: dx.base, channels: channels
                )
            ) { job, range in
                for piece in range {
                    let part = job.pieces[piece]
                    let (table, channels) = (job.windows, job.channels)
                    let source = part.windows(job.dy, table, channels: channels, group: job.group)
                    job.kernels.pointee.window.average_pool_backward(
                        source, job.shares + part.repetition * table.sources, job.adding,
                        job.dx + part.repetition * table.rows * job.spread.factor * job.spread.factor * channels,
                        job.spread, part.rows.lowerBound, part.rows.upperBound)
                }
            }
        }
    }

    /// The rows of the table over a whole batch, after a look at all counts.
    private func checked(_ x: Floats, _ table: WindowTable, _ y: Floats, channels: Int, factor: Int = 1) -> Int {
        let rows = y.count / channels / factor / factor
        precondition(y.count == rows * factor * factor * channels && rows % table.rows == 0, "rows of whole tables")
        precondition(x.count >= rows / table.rows * table.sources * channels, "too few source rows")
        return rows
    }

    private func zeroRow(_ scratch: Floats, _ channels: Int) -> UnsafeMutablePointer<Float> {
        let zeros = scratch[0..<channels]
        zeros.fill(0)
        return zeros.base
    }
}

extension WindowRows {
    /// The columns of one group of taps. Rows of such a table are skipped where they are none, so no zeros are read.
    fileprivate func windows(
        _ x: UnsafeMutablePointer<Float>, _ table: WindowTable, channels: Int, group: TapProduct.Group
    ) -> ck_windows {
        var windows = windows(x, table, channels: channels, zeros: x)
        windows.table += group.columns.lowerBound
        windows.taps = group.columns.count
        return windows
    }
}
