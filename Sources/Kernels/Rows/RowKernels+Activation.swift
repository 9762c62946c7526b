import CKernels

/// Activations whose gradient is read off the output. x and y may be one buffer, and so may dy and dx unless `adding`.
extension WorkerPool {
    private typealias Forward = @convention(c) (UnsafePointer<Float>, UnsafeMutablePointer<Float>, Int) -> Void
    private typealias Backward =
        @convention(c) (
            UnsafePointer<Float>, UnsafePointer<Float>, UnsafeMutablePointer<Float>, Int32, Int
        ) -> Void

    /// y = max(x, 0).
    public func relu(_ x: Floats, into y: Floats) { activate(kernels.pointee.activation.relu, x, y) }

    /// dx (+)= dy where the output y is above 0.
    public func reluBackward(_ y: Floats, _ dy: Floats, into dx: Floats, adding: Bool = false) {
        differentiate(kernels.pointee.activation.relu_backward, y, dy, dx, adding)
    }

    /// y = tanh x.
    public func tanh(_ x: Floats, into y: Floats) { activate(kernels.pointee.activation.tanh, x, y) }

    /// dx (+)= dy·(1 − y²) with the output y.
    public func tanhBackward(_ y: Floats, _ dy: Floats, into dx: Floats, adding: Bool = false) {
        differentiate(kernels.pointee.activation.tanh_backward, y, dy, dx, adding)
    }

    private func activate(_ kernel: @escaping Forward, _ x: Floats, _ y: Floats) {
        precondition(x.count == y.count, "operands of different size")
        split(x.count, grain: chunkFloats, (kernel: kernel, x: x.base, y: y.base)) { job, range in
            job.kernel(job.x + range.lowerBound, job.y + range.lowerBound, range.count)
        }
    }

    private func differentiate(_ kernel: @escaping Backward, _ y: Floats, _ dy: Floats, _ dx: Floats, _ adding: Bool) {
        precondition(y.count == dy.count && dx.count == dy.count, "operands of different size")
        split(
            y.count, grain: chunkFloats,
            (kernel: kernel, y: y.base, dy: dy.base, dx: dx.base, adding: adding ? 1 as Int32 : 0)
        ) { job, range in
            let at = range.lowerBound
            job.kernel(job.y + at, job.dy + at, job.dx + at, job.adding, range.count)
        }
    }
}
