import CKernels

extension WorkerPool {
    /// y = max(x, 0); y may be x.
    public func relu(_ x: Floats, into y: Floats) {
        precondition(x.count == y.count, "operands of different size")
        split(x.count, grain: chunkFloats, (kernels: kernels, x: x.base, y: y.base)) { job, range in
            job.kernels.pointee.activation.relu(job.x + range.lowerBound, job.y + range.lowerBound, range.count)
        }
    }

    /// dx (+)= dy where the output y is above 0; dx may be dy unless `adding`.
    public func reluBackward(_ y: Floats, _ dy: Floats, into dx: Floats, adding: Bool = false) {
        precondition(y.count == dy.count && dx.count == dy.count, "operands of different size")
        split(
            y.count, grain: chunkFloats,
            (kernels: kernels, y: y.base, dy: dy.base, dx: dx.base, adding: adding ? 1 as Int32 : 0)
        ) { job, range in
            let at = range.lowerBound
            job.kernels.pointee.activation.relu_backward(job.y + at, job.dy + at, job.dx + at, job.adding, range.count)
        }
    }
}
