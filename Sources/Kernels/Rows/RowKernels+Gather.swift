import CKernels

extension WorkerPool {
    /// y[i] = x[table[i]] by rows of `channels`, or += when `adding`; a negative entry means a row of zeros.
    /// x: any number of rows; y: table.count rows.
    public func gatherRows(_ x: Floats, table: Indices, into y: Floats, adding: Bool = false, channels: Int) {
        precondition(channels > 0 && x.count % channels == 0 && y.count == table.count * channels, "row width")
        precondition(holds(table, below: x.count / channels), "an entry lies outside the rows")
        split(
            table.count, grain: chunkRows(channels),
            (kernels: kernels, x: x.base, table: table.base, y: y.base, adding: adding ? 1 as Int32 : 0, channels)
        ) { job, range in
            job.kernels.pointee.gather.gather_rows(
                job.x, job.table + range.lowerBound, job.y + range.lowerBound * job.5, job.adding, range.count, job.5)
        }
    }

    /// dx[table[i]] += dy[i] by rows, after clearing dx unless `adding`; each target row adds in table order.
    /// Negative entries are skipped, entries may repeat.
    public func scatterAddRows(_ dy: Floats, table: Indices, into dx: Floats, adding: Bool, channels: Int) {
        precondition(channels > 0 && dx.count % channels == 0 && dy.count == table.count * channels, "row width")
        let rows = dx.count / channels
        precondition(holds(table, below: rows), "an entry lies outside the rows")
        // Every chunk owns a range of target rows and reads the whole table, so chunks are few.
        let grain = max(1, (rows + 15) / 16)
        split(
            rows, grain: grain,
            (
                kernels: kernels, dy: dy.base, table: table.base, entries: table.count, dx: dx.base, adding: adding,
                channels: channels
            )
        ) { job, range in
            if !job.adding {
                (job.dx + range.lowerBound * job.channels).update(repeating: 0, count: range.count * job.channels)
            }
            job.kernels.pointee.gather.scatter_add_rows(
                job.dy, job.table, job.dx, job.entries, job.channels, range.lowerBound, range.upperBound)
        }
    }

    /// bias[h, i] = table[index[i], h]: the position bias of an attention from its table.
    /// table: positions × heads; index: any count n; bias: heads × n.
    public func gatherBias(_ table: Floats, index: Indices, into bias: Floats, heads: Int) {
        precondition(heads > 0 && table.count % heads == 0 && bias.count == heads * index.count, "heads do not match")
        precondition(holds(index, below: table.count / heads, from: 0), "an entry lies outside the table")
        split(
            heads, grain: 1,
            (kernels: kernels, table: table.base, index: index.base, count: index.count, bias: bias.base, heads: heads)
        ) { job, range in
            for head in range {
                job.kernels.pointee.gather.gather_column(
                    job.table, job.index, job.bias + head * job.count, job.count, job.heads, head)
            }
        }
    }

    /// dTable[r, h] (+)= Σ over i with index[i] = r of dBias[h, i], in the order of i.
    public func scatterAddBias(_ dBias: Floats, index: Indices, into dTable: Floats, adding: Bool, heads: Int) {
        precondition(heads > 0 && dTable.count % heads == 0 && dBias.count == heads * index.count, "heads do not match")
        precondition(holds(index, below: dTable.count / heads, from: 0), "an entry lies outside the table")
        if !adding { dTable.fill(0) }
        split(
            heads, grain: 1,
            (
                kernels: kernels, dBias: dBias.base, index: index.base, count: index.count, dTable: dTable.base,
                heads: heads
            )
        ) { job, range in
            for head in range {
                job.kernels.pointee.gather.scatter_add_column(
                    job.dBias + head * job.count, job.index, job.dTable, job.count, job.heads, head)
            }
        }
    }

    /// True when every entry is below `end`, and not below `start`; tables are checked here, once, not per element.
    private func holds(_ table: Indices, below end: Int, from start: Int = .min) -> Bool {
        // Without an early exit the loop is vectorised.
        var (lowest, highest) = (Int32.max, Int32.min)
        for index in 0..<table.count {
            lowest = min(lowest, table.base[index])
            highest = max(highest, table.base[index])
        }
        return table.count == 0 || (Int(highest) < end && Int(lowest) >= start)
    }
}
