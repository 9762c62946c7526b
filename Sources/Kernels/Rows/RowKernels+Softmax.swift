import CKernels

extension WorkerPool {
    /// y = softmax(x) over the columns of each row; y may be x.
    /// x, y: rows × columns.
    public func softmax(_ x: Floats, into y: Floats, rows: Int, columns: Int) {
        precondition(x.count == rows * columns && y.count == x.count, "rows of another width")
        split(rows, grain: chunkRows(columns), (kernels: kernels, x: x.base, y: y.base, columns: columns)) {
            job, range in
            let y = job.y + range.lowerBound * job.columns, x = job.x + range.lowerBound * job.columns
            if x != y { y.update(from: x, count: range.count * job.columns) }
            job.kernels.pointee.softmax.softmax(y, nil, nil, range.count, job.columns)
        }
    }

    /// dx = y⊙(dy - Σ y⊙dy) over the columns of each row, with y the softmax. dx is none of the inputs.
    public func softmaxBackward(_ y: Floats, _ dy: Floats, into dx: Floats, rows: Int, columns: Int) {
        precondition(y.count == rows * columns && dy.count == y.count && dx.count == y.count, "rows of another width")
        split(rows, grain: chunkRows(columns), (kernels: kernels, y: y.base, dy: dy.base, dx: dx.base, columns)) {
            job, range in
            let at = range.lowerBound * job.4
            (job.dx + at).update(from: job.dy + at, count: range.count * job.4)
            job.kernels.pointee.softmax.softmax_backward(
                job.y + at, job.dx + at, job.y + at, job.dy + at, job.4, job.4, nil, 0, range.count, job.4)
        }
    }
}
