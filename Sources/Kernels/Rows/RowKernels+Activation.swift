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

extension WorkerPool {
    /// y = GELU(x + bias) = z·Φ(z) with z = x + bias and the exact normal distribution function; y may be x.
    /// x, y: rows × channels; bias: channels, or absent.
    public func biasGELU(_ x: Floats, bias: Floats?, into y: Floats, rows: Int, channels: Int) {
        precondition(x.count == rows * channels && y.count == x.count, "rows of another width")
        precondition((bias?.count ?? channels) == channels, "bias of another width")
        split(rows, grain: chunkRows(channels), (kernels: kernels, x: x.base, bias: bias?.base, y: y.base, channels)) {
            job, range in
            let at = range.lowerBound * job.4
            job.kernels.pointee.activation.bias_gelu(job.x + at, job.bias, job.y + at, range.count, job.4)
        }
    }

    /// Floats of scratch that `biasGELUBackward` asks for.
    public static func biasGELUScratch(rows: Int, channels: Int) -> Int { partialFloats(rows, width: channels) }

    /// dx (+)= dy·(Φ(z) + z·φ(z)) with z = x + bias; biasGradient (+)= the column sums of that product. dx may be dy
    /// unless `adding`.
    public func biasGELUBackward(
        _ x: Floats, bias: Floats?, _ dy: Floats, into dx: Floats, adding: Bool, biasGradient: Floats?,
        addingBias: Bool, rows: Int, channels: Int, scratch: Floats
    ) {
        precondition(x.count == rows * channels && dy.count == x.count && dx.count == x.count, "rows of another width")
        precondition((bias?.count ?? channels) == channels, "bias of another width")
        precondition((biasGradient?.count ?? channels) == channels, "bias gradient of another width")
        let cut = rowReduction(rows)
        precondition(biasGradient == nil || scratch.count >= cut.chunks * channels, "scratch too small")
        split(
            rows, grain: cut.grain,
            (
                kernels: kernels, x: x.base, bias: bias?.base, dy: dy.base, dx: dx.base,
                adding: adding ? 1 as Int32 : 0,
                partials: biasGradient == nil ? nil : scratch.base, channels: channels, grain: cut.grain
            )
        ) { job, range in
            let at = range.lowerBound * job.channels
            let partial = job.partials.map { $0 + range.lowerBound / job.grain * job.channels }
            partial?.update(repeating: 0, count: job.channels)
            job.kernels.pointee.activation.bias_gelu_backward(
                job.x + at, job.bias, job.dy + at, job.dx + at, job.adding, partial, range.count, job.channels)
        }
        if let biasGradient {
            addPartials(
                scratch.base, chunks: cut.chunks, stride: channels, into: biasGradient.base, channels,
                adding: addingBias)
        }
    }
}

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
}
