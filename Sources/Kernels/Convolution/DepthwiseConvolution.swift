import CKernels

extension WorkerPool {
    /// Floats of scratch that `depthwise` asks for: the weight with its taps outermost, and a row of zeros.
    public static func depthwiseScratch(taps: Int, channels: Int) -> Int { (taps + 1) * channels }

    /// y[r] (+)= bias + Σ over taps of x[table[r, tap]]⊙weight[·, tap]. x, y: rows of channels; weight: channels × taps.
    /// - Parameter reversed: takes the taps from the end, which over the same table is the gradient of the input.
    public func depthwise(
        _ x: Floats, windows: WindowTable, weight: Floats, bias: Floats?, reversed: Bool, into y: Floats, adding: Bool,
        channels: Int, scratch: Floats
    ) {
        let rows = y.count / channels
        check(x, windows, weight, rows: rows, channels: channels)
        precondition(y.count == rows * channels && (bias?.count ?? channels) == channels, "rows or bias")
        precondition(scratch.count >= WorkerPool.depthwiseScratch(taps: windows.taps, channels: channels), "scratch")
        let taps = windows.taps
        for tap in 0..<taps {
            let to = scratch.base + (reversed ? taps - 1 - tap : tap) * channels
            for channel in 0..<channels { to[channel] = weight.base[channel * taps + tap] }
        }
        let zeros = scratch.base + taps * channels
        zeros.update(repeating: 0, count: channels)
        let pieces = WindowPieces(rows, windows)
        split(
            pieces.count, grain: 1,
            (
                pieces: pieces, kernels: kernels, x: x.base, windows: windows, weight: scratch.base, zeros: zeros,
                bias: bias?.base,
                adding: adding ? 1 as Int32 : 0, y: y.base, channels: channels
            )
        ) { job, range in
            for piece in range {
                let part = job.pieces[piece]
                job.kernels.pointee.convolve.depthwise(
                    part.windows(job.x, job.windows, channels: job.channels, zeros: job.zeros), job.weight, job.bias,
                    job.adding, job.y + part.repetition * job.windows.rows * job.channels, part.rows.lowerBound,
                    part.rows.upperBound)
            }
        }
    }

    /// Floats of scratch that `depthwiseGradient` asks for.
    public static func depthwiseGradientScratch(rows: Int, taps: Int, channels: Int) -> Int {
        depthwiseParts(rows).count * taps * channels
    }

    private static func depthwiseParts(_ rows: Int) -> (count: Int, rows: Int) {
        let each = max(256, (rows + 15) / 16)
        return (max(1, (rows + each - 1) / each), each)
    }

    /// dweight[·, tap] (+)= Σ over rows of x[table[r, tap]]⊙dy[r]; rows add in a fixed order.
    public func depthwiseGradient(
        _ x: Floats, windows: WindowTable, dy: Floats, into dweight: Floats, adding: Bool, channels: Int,
        scratch: Floats
    ) {
        let rows = dy.count / channels
        check(x, windows, dweight, rows: rows, channels: channels)
        let (taps, size) = (windows.taps, windows.taps * channels)
        let parts = WorkerPool.depthwiseParts(rows)
        precondition(dy.count == rows * channels && scratch.count >= parts.count * size, "rows or scratch")
        split(
            parts.count, grain: 1,
            (
                kernels: kernels, x: x.base, windows: windows, dy: dy.base, partials: scratch.base, parts: parts,
                rows: rows, channels: channels
            )
        ) { job, range in
            for part in range {
                let target = job.partials + part * job.windows.taps * job.channels
                target.update(repeating: 0, count: job.windows.taps * job.channels)
                var row = part * job.parts.rows
                let end = min(job.rows, row + job.parts.rows)
                while row < end {
                    let place = job.windows.place(row)
                    let last = min(job.windows.rows, place.row + end - row)
                    let slice = WindowRows(repetition: row / job.windows.rows, rows: place.row..<last)
                    job.kernels.pointee.convolve.depthwise_gradient(
                        slice.windows(job.x, job.windows, channels: job.channels, zeros: job.x),
                        job.dy + (row - place.row) * job.channels, target, place.row, last)
                    row += last - place.row
                }
            }
        }
        if parts.count > 1 {
            addPartials(
                scratch.base + size, chunks: parts.count - 1, stride: size, into: scratch.base, size, adding: true)
        }
        store(scratch, into: dweight, adding: adding, taps: taps, channels: channels)
    }

    /// dweight (+)= sums, taps × channels, in the weight's order, channels × taps.
    private func store(_ sums: Floats, into dweight: Floats, adding: Bool, taps: Int, channels: Int) {
        for channel in 0..<channels {
            for tap in 0..<taps {
                let at = channel * taps + tap
                dweight.base[at] = (adding ? dweight.base[at] : 0) + sums.base[tap * channels + channel]
            }
        }
    }

    private func check(_ x: Floats, _ windows: WindowTable, _ weight: Floats, rows: Int, channels: Int) {
        precondition(channels > 0 && rows % windows.rows == 0, "rows of whole tables")
        precondition(x.count >= rows / windows.rows * windows.sources * channels, "too few source rows")
        precondition(weight.count == channels * windows.taps && windows.taps <= 256, "a weight of channels × taps")
    }
}

/// Some rows of one repetition of a table.
struct WindowRows {
    let repetition: Int
    let rows: Range<Int>

    func windows(
        _ x: UnsafeMutablePointer<Float>, _ table: WindowTable, channels: Int, zeros: UnsafeMutablePointer<Float>
    ) -> ck_windows {
        ck_windows(
            x: x + repetition * table.sources * channels, stride: channels, table: table.entries.base,
            table_stride: table.taps, taps: table.taps, channels: channels, zeros: zeros)
    }
}

/// The rows of a batch in pieces of at most 64, none of which crosses from one repetition of a table to the next.
struct WindowPieces {
    private let tableRows, perTable: Int
    let count: Int

    init(_ rows: Int, _ table: WindowTable) {
        tableRows = table.rows
        perTable = (table.rows + 63) / 64
        count = rows / table.rows * perTable
    }

    subscript(_ piece: Int) -> WindowRows {
        let first = piece % perTable * 64
        return WindowRows(repetition: piece / perTable, rows: first..<min(tableRows, first + 64))
    }
}
