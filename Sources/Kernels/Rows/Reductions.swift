import CKernels

/// How a reduction over rows is cut: at most `limit` chunks whose partial results are added in index order. The cut
/// depends on the rows alone, so the bits do not depend on the threads.
struct ReductionCut {
    static let limit = 32
    let rows: Int
    let grain: Int

    init(rows: Int, atLeast smallest: Int) {
        self.rows = rows
        grain = max(smallest, (rows + ReductionCut.limit - 1) / ReductionCut.limit, 1)
    }

    var chunks: Int { (rows + grain - 1) / grain }
}

/// The cut for sums over rows into one value per channel.
func rowReduction(_ rows: Int) -> ReductionCut { ReductionCut(rows: rows, atLeast: 8) }

/// Floats of scratch for `width` sums per chunk over `rows`.
func partialFloats(_ rows: Int, width: Int) -> Int { rowReduction(rows).chunks * width }

extension WorkerPool {
    /// Floats of scratch that `columnSums` asks for.
    public static func columnSumScratch(rows: Int, channels: Int) -> Int { partialFloats(rows, width: channels) }

    /// sums[c] = Σ over rows of x[r, c], or += when `adding`.
    public func columnSums(
        _ x: Floats, rows: Int, channels: Int, into sums: Floats, adding: Bool, scratch: Floats
    ) {
        precondition(x.count == rows * channels && sums.count == channels, "rows of another width")
        let cut = rowReduction(rows)
        precondition(scratch.count >= cut.chunks * channels, "scratch too small")
        split(
            rows, grain: cut.grain,
            (kernels: kernels, x: x.base, partials: scratch.base, channels: channels, grain: cut.grain)
        ) { job, range in
            let partial = job.partials + range.lowerBound / job.grain * job.channels
            partial.update(repeating: 0, count: job.channels)
            job.kernels.pointee.elementwise.column_sums(
                job.x + range.lowerBound * job.channels, partial, range.count, job.channels)
        }
        addPartials(scratch.base, chunks: cut.chunks, stride: channels, into: sums.base, channels, adding: adding)
    }

    /// sums[c] (+)= Σ over chunks of partials[chunk·stride + c], in chunk order.
    func addPartials(
        _ partials: UnsafeMutablePointer<Float>, chunks: Int, stride: Int, into sums: UnsafeMutablePointer<Float>,
        _ count: Int, adding: Bool
    ) {
        split(
            count, grain: 1024,
            (kernels: kernels, partials: partials, chunks: chunks, stride: stride, sums: sums, adding: adding)
        ) { job, range in
            let sums = job.sums + range.lowerBound
            if !job.adding { sums.update(repeating: 0, count: range.count) }
            for chunk in 0..<job.chunks {
                let partial = job.partials + chunk * job.stride + range.lowerBound
                job.kernels.pointee.elementwise.axpy(1, partial, sums, range.count)
            }
        }
    }

    /// Σ x in Double.
    public func sum(_ x: Floats) -> Double {
        reduce(x.count, atLeast: chunkFloats, (kernels: kernels, x: x.base)) { job, range in
            let x = job.values.x + range.lowerBound
            job.partials.store(job.values.kernels.pointee.elementwise.sum(x, range.count), range)
        }
    }

    /// Σ x² in Double.
    public func sumOfSquares(_ x: Floats) -> Double {
        reduce(x.count, atLeast: chunkFloats, (kernels: kernels, x: x.base)) { job, range in
            let x = job.values.x + range.lowerBound
            job.partials.store(job.values.kernels.pointee.elementwise.sum_of_squares(x, range.count), range)
        }
    }

    /// True when no element is infinite or NaN.
    public func isFinite(_ x: Floats) -> Bool {
        reduce(x.count, atLeast: chunkFloats, (kernels: kernels, x: x.base)) { job, range in
            let x = job.values.x + range.lowerBound
            job.partials.store(job.values.kernels.pointee.elementwise.is_finite(x, range.count) == 0 ? 1 : 0, range)
        } == 0
    }

    /// The sum over chunks of what `body` stores as its chunk's partial, added in index order. The partials go through
    /// the body's arguments: wrapping it in another closure here would allocate once a chunk.
    func reduce<Arguments>(
        _ rows: Int, atLeast smallest: Int, _ arguments: Arguments,
        _ body: @escaping @Sendable ((values: Arguments, partials: Partials), Range<Int>) -> Void
    ) -> Double {
        let cut = ReductionCut(rows: rows, atLeast: smallest)
        return withUnsafeTemporaryAllocation(of: Double.self, capacity: ReductionCut.limit) { memory in
            guard let base = memory.baseAddress else { return 0 }
            split(rows, grain: cut.grain, (values: arguments, partials: Partials(base: base, grain: cut.grain)), body)
            var total = 0.0
            for chunk in 0..<cut.chunks { total += base[chunk] }
            return total
        }
    }
}

/// One Double per chunk of a reduction.
struct Partials {
    let base: UnsafeMutablePointer<Double>
    let grain: Int

    func store(_ value: Double, _ rows: Range<Int>) { base[rows.lowerBound / grain] = value }
}

extension WorkerPool {
    /// places[r] = the column of the largest value among the first `count` of row r, the first on ties, as a float.
    /// x: rows × columns; places: rows.
    public func largestColumns(_ x: Floats, into places: Floats, columns: Int, among count: Int) {
        precondition(columns > 0 && columns < 1 << 24 && x.count == places.count * columns, "rows of another width")
        precondition((1...columns).contains(count), "some of the columns")
        split(
            places.count, grain: chunkRows(columns), (x: x.base, places: places.base, columns: columns, count: count)
        ) { job, rows in
            for row in rows {
                let values = job.x + row * job.columns
                var best = 0
                for column in 1..<max(job.count, 1) where values[column] > values[best] { best = column }
                job.places[row] = Float(best)
            }
        }
    }
}
