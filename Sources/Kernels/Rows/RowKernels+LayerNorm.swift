import CKernels

extension WorkerPool {
    /// y = (x - mean)/√(variance + epsilon)·weight + bias, over the channels of each row; y may be x where the rows keep
    /// their order. x, y: rows × channels; statistics: rows × (mean, 1/σ), which backward reads.
    /// - Parameter order: which row of its sample in x each row of y comes from.
    public func layerNorm(
        _ x: Floats, order: RowOrder? = nil, weight: Floats, bias: Floats, epsilon: Float, into y: Floats,
        statistics: Floats, rows: Int, channels: Int
    ) {
        precondition(x.count == rows * channels && y.count == x.count, "rows of another width")
        precondition(weight.count == channels && bias.count == channels, "parameters of another width")
        precondition(statistics.count >= 2 * rows, "statistics are two floats a row")
        split(
            rows, grain: chunkRows(channels),
            (
                kernels: kernels, x: x.base, rows: OrderedRows(order, rows: rows), weight: weight.base,
                bias: bias.base, epsilon: epsilon, y: y.base, statistics: statistics.base, channels: channels
            )
        ) { job, range in
            job.rows.pieces(range) { rows, start, order in
                job.kernels.pointee.normalize.layer_norm(
                    job.x + start * job.channels, order, job.weight, job.bias, job.epsilon,
                    job.y + rows.lowerBound * job.channels, job.statistics + 2 * rows.lowerBound, rows.count,
                    job.channels)
            }
        }
    }

    /// Floats of scratch that `layerNormBackward` asks for.
    public static func layerNormScratch(rows: Int, channels: Int) -> Int { partialFloats(rows, width: 2 * channels) }

    /// With x̂ = (x - mean)/σ and g = dy⊙weight: dx (+)= (g - mean(g) - x̂·mean(g⊙x̂))/σ,
    /// weightGradient (+)= Σ dy⊙x̂, biasGradient (+)= Σ dy over rows.
    public func layerNormBackward(
        _ x: Floats, order: RowOrder? = nil, weight: Floats, statistics: Floats, _ dy: Floats, into dx: Floats?,
        adding: Bool, weightGradient: Floats?, biasGradient: Floats?, addingParameters: Bool, rows: Int, channels: Int,
        scratch: Floats
    ) {
        precondition(x.count == rows * channels && dy.count == x.count, "rows of another width")
        precondition((dx?.count ?? x.count) == x.count && statistics.count >= 2 * rows, "rows of another count")
        precondition(weight.count == channels && (weightGradient?.count ?? channels) == channels, "weight width")
        precondition((biasGradient?.count ?? channels) == channels, "bias of another width")
        let (cut, isFrozen) = (rowReduction(rows), weightGradient == nil && biasGradient == nil)
        precondition(isFrozen || scratch.count >= cut.chunks * 2 * channels, "scratch too small")
        split(
            rows, grain: cut.grain,
            (
                kernels: kernels, x: x.base, rows: OrderedRows(order, rows: rows), weight: weight.base,
                statistics: statistics.base, dy: dy.base, dx: dx?.base, adding: adding ? 1 as Int32 : 0,
                weights: weightGradient != nil, biases: biasGradient != nil, partials: scratch.base,
                channels: channels, grain: cut.grain
            )
        ) { job, range in
            let partial = job.partials + range.lowerBound / job.grain * 2 * job.channels
            if job.weights || job.biases { partial.update(repeating: 0, count: 2 * job.channels) }
            job.rows.pieces(range) { rows, start, order in
                job.kernels.pointee.normalize.layer_norm_backward(
                    job.x + start * job.channels, order, job.weight, job.statistics + 2 * rows.lowerBound,
                    job.dy + rows.lowerBound * job.channels, job.dx.map { $0 + start * job.channels }, job.adding,
                    job.weights ? partial : nil, job.biases ? partial + job.channels : nil, rows.count, job.channels)
            }
        }
        if let weightGradient {
            addPartials(
                scratch.base, chunks: cut.chunks, stride: 2 * channels, into: weightGradient.base, channels,
                adding: addingParameters)
        }
        if let biasGradient {
            addPartials(
                scratch.base + channels, chunks: cut.chunks, stride: 2 * channels, into: biasGradient.base, channels,
                adding: addingParameters)
        }
    }
}
