public import Autodiff
import Kernels

/// y = f(r + keep·((x − mean) / √(variance + ε) ⊙ weight + bias)), (…, C) to the same, with the statistics of all rows
/// of the batch on all ranks, or with the running ones where a plan runs forward only.
/// r: the residual stream, optional; keep: (B), drop path factors, optional; f: nothing, ReLU or ReLU6.
/// The running variance takes n/(n − 1) of the biased one. Keeps x, and y where f cuts.
/// Sources: arXiv 1502.03167; PyTorch's BatchNorm2d and SyncBatchNorm for names, momentum and the gradient: that of
/// weight and bias is of the rank's own rows.
public struct BatchNorm: Sendable {
    /// The activation that follows the norm.
    public enum Activation: Sendable, Equatable {
        case none, relu, relu6

        fileprivate var clamp: Clamp {
            switch self {
            case .none: Clamp(low: -.infinity, high: .infinity)
            case .relu: Clamp(low: 0, high: .infinity)
            case .relu6: Clamp(low: 0, high: 6)
            }
        }
    }

    private let weight, bias: Parameter
    private let runningMean, runningVariance, batches: RegisteredBuffer

    /// Declares `weight`, `bias`, `running_mean`, `running_var` and `num_batches_tracked`.
    public init(_ scope: Scope, _ channels: Int, init initializer: Initializer = .ones) {
        weight = scope.parameter("weight", [channels], initializer)
        bias = scope.parameter("bias", [channels], .zeros)
        runningMean = scope.buffer("running_mean", [channels], .zeros)
        runningVariance = scope.buffer("running_var", [channels], .ones)
        batches = scope.counter("num_batches_tracked")
    }

    public func callAsFunction(_ x: Tensor, _ activation: Activation = .none) -> Tensor {
        x.apply(operation(activation, hasResidual: false, hasKeep: false))
    }

    /// - Parameter keep: one factor for each sample of the branch x.
    public func callAsFunction(_ x: Tensor, adding residual: Tensor, keep: Tensor?, _ activation: Activation) -> Tensor
    {
        let operation = operation(activation, hasResidual: true, hasKeep: keep != nil)
        return if let keep { x.apply(operation, residual, keep) } else { x.apply(operation, residual) }
    }

    private func operation(_ activation: Activation, hasResidual: Bool, hasKeep: Bool) -> BatchNormOperation {
        BatchNormOperation(
            parameters: [weight, bias], buffers: [runningMean, runningVariance, batches], clamp: activation.clamp,
            hasResidual: hasResidual, hasKeep: hasKeep)
    }
}

struct BatchNormOperation: Operation {
    static let epsilon = 1e-5  // PyTorch's default, which all models here use
    static let momentum = 0.1

    let parameters: [Parameter]
    let buffers: [RegisteredBuffer]
    let clamp: Clamp
    let hasResidual, hasKeep: Bool
    private var channels: Int { parameters[0].shape.count }
    var featureKind: IntermediateFeature.Kind? { .norm }
    private var cuts: Bool { clamp.low > -.infinity }

    var keeps: Kept {
        let kept = Kept.input(0).union(hasKeep ? .input(2) : .nothing)
        return cuts ? kept.union(.output) : kept
    }

    func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        guard shapes[0].channels == channels else {
            throw ShapeError("input \(shapes[0]) has last extent \(shapes[0].channels), norm wants \(channels)")
        }
        if hasResidual, shapes[1] != shapes[0] { throw ShapeError("branch \(shapes[0]) is added to \(shapes[1])") }
        if hasKeep, shapes[2] != [shapes[0][0]] {
            throw ShapeError("keep factors \(shapes[2]) for \(shapes[0][0]) samples")
        }
        return shapes[0]
    }

    /// Saved: mean, 1/σ and the number of rows on all ranks. Scratch: sums in Double, then [sums | rows], then the
    /// scale and what the mean loses in a float.
    func extra(for shapes: [Shape]) -> Extra {
        let scratch = sumsScratch(shapes[0]) + 4 * channels + 1
        return Extra(saved: 2 * channels + 1, scratch: scratch, backwardScratch: scratch)
    }

    private func sumsScratch(_ shape: Shape) -> Int {
        WorkerPool.batchNormScratch(rows: shape.rows, channels: channels)
    }

    private func scratch(_ at: Workspace) -> (work: Floats, sums: Floats, scale: Floats, rest: Floats) {
        let start = sumsScratch(at.shapes[0])
        let sums = start + 2 * channels + 1
        return (
            at.scratch[0..<start], at.scratch[start..<sums], at.scratch[sums..<sums + channels],
            at.scratch[sums + channels..<sums + 2 * channels]
        )
    }

    private func rows(_ at: Workspace) -> NormRows {
        let rows = at.shapes[0].rows
        return NormRows(rows: rows, channels: channels, rowsPerSample: hasKeep ? rows / at.shapes[0][0] : max(rows, 1))
    }

    func forward(_ at: Workspace) {
        let (work, sums, scale, rest) = scratch(at)
        if at.usesBatchStatistics { sum(at, sums, work) }
        let count = Double(sums[2 * channels])
        for channel in 0..<channels {
            var (mean, variance) = (Double(at.buffers[0][channel]), Double(at.buffers[1][channel]))
            if at.usesBatchStatistics {
                let offset = Double(sums[channel]) / count
                variance = max(0, Double(sums[channels + channel]) / count - offset * offset)
                mean += offset
                // A batch that is not finite is skipped by the trainer; the statistics must not keep it either.
                if mean.isFinite && variance.isFinite {
                    blend(at.buffers[0], channel, mean)
                    blend(at.buffers[1], channel, variance * count / (count - 1))
                }
            }
            let inverse = 1 / (variance + Self.epsilon).squareRoot()
            at.saved[channel] = Float(mean)
            at.saved[channels + channel] = Float(inverse)
            rest[channel] = Float(mean - Double(Float(mean)))
            scale[channel] = Float(Double(at.values[0][channel]) * inverse)
        }
        at.pool.normalise(
            at.inputs[0], mean: at.saved[0..<channels], rest: rest, scale: scale, bias: at.values[1],
            residual: hasResidual ? at.inputs[1] : nil, keep: hasKeep ? at.inputs[2] : nil, clamp: clamp,
            into: at.output, rows(at))
    }

    /// [Σ (x - shift) | Σ (x - shift)² | rows] of all ranks. The shift is the running mean, which ranks share: sums in
    /// Float then lose nothing to a mean far from 0.
    private func sum(_ at: Workspace, _ sums: Floats, _ work: Floats) {
        let rows = at.shapes[0].rows
        at.pool.moments(
            at.inputs[0], shift: at.buffers[0], into: sums[0..<2 * channels], rows: rows, channels: channels,
            scratch: work)
        sums[2 * channels] = Float(rows)
        at.sumOverRanks(sums)
        precondition(sums[2 * channels] > 1, "batch norm needs more than one row")
        at.saved[2 * channels] = sums[2 * channels]
        at.buffers[2][0] += 1
    }

    private func blend(_ running: Floats, _ channel: Int, _ value: Double) {
        running[channel] = Float((1 - Self.momentum) * Double(running[channel]) + Self.momentum * value)
    }

    func backward(_ at: Workspace) {
        let (work, sums, scale, _) = scratch(at)
        let (mean, inverse, shape) = (at.saved[0..<channels], at.saved[channels..<2 * channels], rows(at))
        let (x, dy, keep) = (at.inputs[0], at.outputGradient, hasKeep ? at.inputs[2] : nil)
        // Without a cut every value passes: any finite array stands in for the output.
        let y = cuts ? at.output : x
        let both = sums[0..<2 * channels]
        at.pool.normaliseSums(x, y, dy, mean: mean, keep: keep, clamp: clamp, into: both, shape, scratch: work)
        for channel in 0..<channels { sums[channels + channel] *= inverse[channel] }
        if let dw = at.gradients[0] {
            at.pool.copy(sums[channels..<2 * channels], into: dw, adding: at.addsToParameters[0])
        }
        if let db = at.gradients[1] { at.pool.copy(sums[0..<channels], into: db, adding: at.addsToParameters[1]) }
        let residual = hasResidual ? at.inputGradients[1] : nil
        // Every rank takes part in the sum, whether or not it needs the result: they all have the same graph.
        at.sumOverRanks(both)
        let share = 1 / at.saved[2 * channels]
        for channel in 0..<channels {
            scale[channel] = at.values[0][channel] * inverse[channel]
            sums[channel] *= share
            sums[channels + channel] *= share * inverse[channel]
        }
        if at.inputGradients[0] == nil && residual == nil { return }
        at.pool.normaliseBackward(
            x, y, dy, mean: mean, scale: scale, straight: sums[0..<channels], aligned: sums[channels..<2 * channels],
            keep: keep, clamp: clamp, into: at.inputGradients[0], adding: at.adds[0], dresidual: residual,
            addingResidual: hasResidual && at.adds[1], shape)
    }
}
