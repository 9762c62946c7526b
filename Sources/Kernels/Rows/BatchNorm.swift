import CKernels

/// The values that batch norm lets through: what lies between `low` and `high`.
public struct Clamp: Sendable, Equatable {
    public let low, high: Float
    public init(low: Float, high: Float) { (self.low, self.high) = (low, high) }
}

/// Rows of a batch norm: rows × channels, `rowsPerSample` of which belong to one sample.
public struct NormRows: Sendable {
    public let rows, channels, rowsPerSample: Int
    public init(rows: Int, channels: Int, rowsPerSample: Int) {
        precondition(rowsPerSample > 0 && channels > 0, "rows of some width")
        (self.rows, self.channels, self.rowsPerSample) = (rows, channels, rowsPerSample)
    }
}

extension WorkerPool {
    /// Floats of scratch that the batch norm sums ask for: two Doubles a channel and chunk.
    public static func batchNormScratch(rows: Int, channels: Int) -> Int { partialFloats(rows, width: 4 * channels) }

    /// sums = [Σ (x - shift) | Σ (x - shift)²] over rows, added in Double.
    public func moments(_ x: Floats, shift: Floats, into sums: Floats, rows: Int, channels: Int, scratch: Floats) {
        precondition(x.count == rows * channels && sums.count == 2 * channels, "rows of another width")
        let totals = DoubleSums(rows: rows, width: 2 * channels, scratch)
        split(
            rows, grain: totals.grain,
            (kernels: kernels, x: x.base, shift: shift.base, channels: channels, totals: totals)
        ) { job, range in
            job.kernels.pointee.window.moments(
                job.x + range.lowerBound * job.channels, job.shift, job.totals.start(range.lowerBound), range.count,
                job.channels)
        }
        totals.finish(into: sums)
    }

    /// y = clamp(residual + keep·((x - mean - rest)·scale + bias)); y may be x.
    /// - Parameters:
    ///   - rest: the part of the mean that a float loses.
    ///   - keep: one factor a sample, 0 or 1/(1 - p); absent: 1.
    public func normalise(
        _ x: Floats, mean: Floats, rest: Floats, scale: Floats, bias: Floats, residual: Floats?, keep: Floats?,
        clamp: Clamp,
        into y: Floats, _ shape: NormRows
    ) {
        precondition(x.count == shape.rows * shape.channels && y.count == x.count, "rows of another width")
        precondition((residual?.count ?? x.count) == x.count, "residual of another shape")
        split(
            shape.rows, grain: chunkRows(shape.channels),
            (
                kernels: kernels, x: x.base, mean: mean.base, rest: rest.base, scale: scale.base, bias: bias.base,
                residual: residual?.base, keep: keep?.base, clamp: clamp, y: y.base, shape: shape
            )
        ) { job, range in
            job.shape.forEachSample(range) { sample, row, count in
                let at = row * job.shape.channels
                job.kernels.pointee.window.normalise(
                    job.x + at, job.mean, job.rest, job.scale, job.bias, job.residual.map { $0 + at },
                    job.keep?[sample] ?? 1,
                    job.clamp.low, job.clamp.high, job.y + at, count, job.shape.channels)
            }
        }
    }

    /// With g = keep·dy where y lies inside the clamp, else 0: sums = [Σ g | Σ g·(x - mean)], added in Double.
    public func normaliseSums(
        _ x: Floats, _ y: Floats, _ dy: Floats, mean: Floats, keep: Floats?, clamp: Clamp, into sums: Floats,
        _ shape: NormRows, scratch: Floats
    ) {
        precondition(x.count == shape.rows * shape.channels && y.count == x.count && dy.count == x.count, "rows")
        precondition(sums.count == 2 * shape.channels, "sums of another width")
        let totals = DoubleSums(rows: shape.rows, width: 2 * shape.channels, scratch)
        split(
            shape.rows, grain: totals.grain,
            (
                kernels: kernels, x: x.base, y: y.base, dy: dy.base, mean: mean.base, keep: keep?.base, clamp: clamp,
                shape: shape, totals: totals
            )
        ) { job, range in
            let partial = job.totals.start(range.lowerBound)
            job.shape.forEachSample(range) { sample, row, count in
                let at = row * job.shape.channels
                job.kernels.pointee.window.normalise_sums(
                    job.x + at, job.y + at, job.dy + at, job.mean, job.keep?[sample] ?? 1, job.clamp.low,
                    job.clamp.high, partial, count, job.shape.channels)
            }
        }
        totals.finish(into: sums)
    }

    /// dx (+)= scale·(g - straight - (x - mean)·aligned), dresidual (+)= g/keep, with g as in `normaliseSums`.
    public func normaliseBackward(
        _ x: Floats, _ y: Floats, _ dy: Floats, mean: Floats, scale: Floats, straight: Floats, aligned: Floats,
        keep: Floats?, clamp: Clamp, into dx: Floats?, adding: Bool, dresidual: Floats?, addingResidual: Bool,
        _ shape: NormRows
    ) {
        precondition(x.count == shape.rows * shape.channels && y.count == x.count && dy.count == x.count, "rows")
        precondition((dx?.count ?? x.count) == x.count && (dresidual?.count ?? x.count) == x.count, "gradient rows")
        split(
            shape.rows, grain: chunkRows(shape.channels),
            (
                kernels: kernels, x: x.base, y: y.base, dy: dy.base, mean: mean.base, scale: scale.base,
                straight: straight.base, aligned: aligned.base, keep: keep?.base, clamp: clamp, dx: dx?.base,
                adding: adding ? 1 as Int32 : 0, dresidual: dresidual?.base,
                addingResidual: addingResidual ? 1 as Int32 : 0, shape: shape
            )
        ) { job, range in
            job.shape.forEachSample(range) { sample, row, count in
                let at = row * job.shape.channels
                job.kernels.pointee.window.normalise_backward(
                    job.x + at, job.y + at, job.dy + at, job.mean, job.scale, job.straight, job.aligned,
                    job.keep?[sample] ?? 1, job.clamp.low, job.clamp.high, job.dx.map { $0 + at }, job.adding,
                    job.dresidual.map { $0 + at }, job.addingResidual, count, job.shape.channels)
            }
        }
    }
}

/// Sums over rows by chunks in Double, added in chunk order.
private struct DoubleSums {
    private let partials: Buffer<Double>
    private let width: Int
    private let cut: ReductionCut

    init(rows: Int, width: Int, _ scratch: Floats) {
        cut = rowReduction(rows)
        self.width = width
        precondition(scratch.count >= cut.chunks * 2 * width, "scratch too small")
        partials = scratch[0..<cut.chunks * 2 * width].viewed(as: Double.self)
    }

    var grain: Int { cut.grain }

    /// The sums of the chunk that begins at `row`, cleared.
    func start(_ row: Int) -> UnsafeMutablePointer<Double> {
        let partial = partials.base + row / cut.grain * width
        partial.update(repeating: 0, count: width)
        return partial
    }

    func finish(into sums: Floats) {
        for at in 0..<width {
            var total = 0.0
            for chunk in 0..<cut.chunks { total += partials.base[chunk * width + at] }
            sums.base[at] = Float(total)
        }
    }
}

extension NormRows {
    /// Cuts a range of rows where samples end.
    fileprivate func forEachSample(_ range: Range<Int>, _ body: (_ sample: Int, _ row: Int, _ count: Int) -> Void) {
        var row = range.lowerBound
        while row < range.upperBound {
            let sample = row / rowsPerSample
            let end = min(range.upperBound, (sample + 1) * rowsPerSample)
            body(sample, row, end - row)
            row = end
        }
    }
}
