import CKernels

extension WorkerPool {
    /// y = tanh x; y may be x.
    public func tanh(_ x: Floats, into y: Floats) {
        precondition(x.count == y.count, "operands of different size")
        split(x.count, grain: chunkFloats, (kernels: kernels, x: x.base, y: y.base)) { job, range in
            job.kernels.pointee.activation.tanh(job.x + range.lowerBound, job.y + range.lowerBound, range.count)
        }
    }

    /// dx (+)= dy·(1 − y²) with the output y; dx may be dy unless `adding`.
    public func tanhBackward(_ y: Floats, _ dy: Floats, into dx: Floats, adding: Bool = false) {
        precondition(y.count == dy.count && dx.count == dy.count, "operands of different size")
        split(
            y.count, grain: chunkFloats,
            (kernels: kernels, y: y.base, dy: dy.base, dx: dx.base, adding: adding ? 1 as Int32 : 0)
        ) { job, range in
            let at = range.lowerBound
            job.kernels.pointee.activation.tanh_backward(job.y + at, job.dy + at, job.dx + at, job.adding, range.count)
        }
    }
}
