import CKernels

/// Floats per chunk of a memory-bound loop: 128 KiB an operand stays in the second-level cache.
let chunkFloats = 32_768

/// Rows of `channels` per chunk of a memory-bound loop.
func chunkRows(_ channels: Int) -> Int { max(1, chunkFloats / max(channels, 1)) }

extension WorkerPool {
    /// z = x + y; z may be x or y.
    public func add(_ x: Floats, _ y: Floats, into z: Floats) {
        precondition(x.count == y.count && x.count == z.count, "operands of different size")
        split(x.count, grain: chunkFloats, (kernels: kernels, x: x.base, y: y.base, z: z.base)) { job, range in
            let at = range.lowerBound
            job.kernels.pointee.elementwise.add(job.x + at, job.y + at, job.z + at, range.count)
        }
    }

    /// z = x − y; z may be x or y.
    public func subtract(_ x: Floats, _ y: Floats, into z: Floats) {
        precondition(x.count == y.count && x.count == z.count, "operands of different size")
        split(x.count, grain: chunkFloats, (kernels: kernels, x: x.base, y: y.base, z: z.base)) { job, range in
            let at = range.lowerBound
            job.kernels.pointee.elementwise.residual(job.x + at, job.y + at, nil, nil, -1, job.z + at, 1, range.count)
        }
    }

    /// y = scale·x, or y += scale·x when `adding`; y may be x.
    public func copy(_ x: Floats, into y: Floats, adding: Bool = false, scale: Float = 1) {
        precondition(x.count == y.count, "operands of different size")
        split(x.count, grain: chunkFloats, (kernels: kernels, x: x.base, y: y.base, a: scale, adding: adding)) {
            job, range in
            let at = range.lowerBound
            if job.adding {
                job.kernels.pointee.elementwise.axpy(job.a, job.x + at, job.y + at, range.count)
            } else {
                job.kernels.pointee.elementwise.scaled(job.a, job.x + at, job.y + at, range.count)
            }
        }
    }

    /// x = a·x
    public func scale(_ x: Floats, by a: Float) { copy(x, into: x, scale: a) }

    /// Every row of y becomes `row`.
    public func fillRows(_ row: Floats, into y: Floats, rows: Int) {
        precondition(y.count == rows * row.count, "rows of another width")
        split(rows, grain: chunkRows(row.count), (kernels: kernels, row: row.base, y: y.base, channels: row.count)) {
            job, range in
            job.kernels.pointee.elementwise.fill_rows(
                job.row, job.y + range.lowerBound * job.channels, range.count, job.channels, job.channels)
        }
    }

    /// y (+)= scale·xᵀ. x, y: side × side, not the same memory.
    public func transpose(_ x: Floats, into y: Floats, side: Int, scale: Float = 1, adding: Bool = false) {
        precondition(x.count == side * side && y.count == x.count, "no square of this side")
        kernels.pointee.elementwise.transpose_square(scale, x.base, y.base, adding ? 1 : 0, side)
    }
}
