import CKernels

extension WorkerPool {
    /// y = x·xᵀ, symmetric: blocks on and above the diagonal are computed, the rest is mirrored.
    /// x: rows × depth, may be a transposed view; y: rows × rows, without gaps.
    public func gram(_ x: Matrix, into y: Floats) {
        let rows = x.rows
        precondition(y.count == rows * rows, "a square of other rows")
        // Four blocks save three eighths of the products; smaller ones would pack their operands too often.
        let block = max(64, (rows + 63) / 64 * 16)
        for top in stride(from: 0, to: rows, by: block) {
            let count = min(block, rows - top)
            multiply(
                x.rows(top..<top + count), x.rows(top..<rows).transposed,
                into: Matrix(
                    y[top * rows + top..<(top + count) * rows], rows: count, columns: rows - top, stride: rows))
        }
        for row in 0..<rows {
            for column in 0..<row { y[row * rows + column] = y[column * rows + row] }
        }
    }

    /// y[r] += factor·row for every row of y.
    public func add(_ row: Floats, times factor: Float, toRowsOf y: Floats) {
        let channels = row.count
        precondition(channels > 0 && y.count % channels == 0, "rows of another width")
        split(
            y.count / channels, grain: chunkRows(channels),
            (kernels: kernels, row: row.base, y: y.base, channels: channels, factor: factor)
        ) { job, rows in
            for row in rows {
                job.kernels.pointee.elementwise.axpy(job.factor, job.row, job.y + row * job.channels, job.channels)
            }
        }
    }

    /// Σ x·y in Double, added in order on the calling thread: for squares of a batch's side.
    public func dot(_ x: Floats, _ y: Floats) -> Double {
        precondition(x.count == y.count, "operands of different size")
        var sum = 0.0
        for index in 0..<x.count { sum += Double(x.base[index]) * Double(y.base[index]) }
        return sum
    }
}

extension Matrix {
    /// Some of the rows; nothing moves.
    public func rows(_ range: Range<Int>) -> Matrix {
        precondition(range.lowerBound >= 0 && range.upperBound <= rows, "rows outside the matrix")
        if isTransposed {
            return transposed.columns(range).transposed
        }
        let part = floats[range.lowerBound * stride..<floats.count]
        return Matrix(part, rows: range.count, columns: columns, stride: stride)
    }

    /// Some of the columns of a matrix that is not transposed.
    private func columns(_ range: Range<Int>) -> Matrix {
        Matrix(floats[range.lowerBound..<floats.count], rows: rows, columns: range.count, stride: stride)
    }
}
