import Glibc

/// How updates count an epoch: the curves of the references run over epochs, micro-batches or updates.
public struct EpochClock: Sendable, Equatable {
    /// Micro-batches of an epoch on one rank; a partial group at the end is dropped.
    public let microBatches: Int
    /// Micro-batches of one update.
    public let accumulation: Int

    public init(microBatches: Int, accumulation: Int = 1) {
        precondition(accumulation >= 1 && microBatches >= accumulation, "an epoch has at least one update")
        self.microBatches = microBatches
        self.accumulation = accumulation
    }

    /// Updates of an epoch.
    public var updates: Int { microBatches / accumulation }

    /// Index, over the whole run, of the micro-batch that ended the last update before `microBatch` of `epoch`;
    /// 0 before the first.
    func lastFinished(epoch: Int, microBatch: Int) -> Int {
        let group = microBatch / accumulation
        if group > 0 { return epoch * microBatches + group * accumulation - 1 }
        return epoch == 0 ? 0 : (epoch - 1) * microBatches + updates * accumulation - 1
    }
}

/// The learning rate of an update: a pure function of its index. Each case is one reference's curve; rates are per
/// run, and `base` is the rate after scaling with the batch size. Lengths are epochs.
public enum Schedule: Sendable, Equatable {
    case constant
    /// microsoft/SimMIM, one update late.
    case simMIM(SimMIMCurve)
    /// keyu-tian/SparK, per update: from 0.005 of the base up over the warm-up, then a cosine down to 0.001 of it.
    case sparK(warmupEpochs: Double, epochs: Int)
    /// facebookresearch/mae and SeiT++, per update in fractions of an epoch: from 0; the first update moves nothing.
    case mae(minimum: Double, warmupEpochs: Double, epochs: Int)
    /// DeiT and SeiT, one epoch late: epochs 0 and 1 run at the warm-up's start.
    case deiT(warmupStart: Double, minimum: Double, warmupEpochs: Int, epochs: Int)
    /// CRATE supervised, per epoch: the smaller of a linear rise and a cosine.
    case crate(warmupEpochs: Int, epochs: Int)
    /// CRATE fine-tuning, per epoch: a cosine two epochs late, so that epochs 0 and 2 run at the base.
    case crateFineTuning(epochs: Int)
    /// PyTorch's cosine, per epoch; past its end it climbs again.
    case cosine(minimum: Double, epochs: Int)
    /// Cosine that restarts every `periodEpochs` (ELR).
    case warmRestarts(minimum: Double, periodEpochs: Int)
    /// `factor` at each of `epochs` (ELR).
    case multistep(epochs: [Int], factor: Double)
    /// `factor` every `everyEpochs` (guidance).
    case step(everyEpochs: Int, factor: Double)

    /// The rate in force during update `index` (from 0) of the run.
    /// - Parameter scale: the group's layer scale. It multiplies the result, except in SimMIM, where it multiplies the
    ///   base alone: warm-up start and minimum are the same number for all groups.
    public func rate(at index: Int, base: Double, scale: Double = 1, clock: EpochClock) -> Double {
        let microBatch = index % clock.updates * clock.accumulation
        return rate(epoch: index / clock.updates, microBatch: microBatch, base: base, scale: scale, clock: clock)
    }

    /// The rate in force while `microBatch` of `epoch` runs.
    package func rate(epoch: Int, microBatch: Int, base: Double, scale: Double, clock: EpochClock) -> Double {
        let group = microBatch / clock.accumulation
        switch self {
        case .constant:
            return base * scale
        case .simMIM(let curve):
            let finished = clock.lastFinished(epoch: epoch, microBatch: microBatch)
            return curve.rate(after: finished, base: base * scale, epochUpdates: clock.microBatches)
        case .sparK(let warmupEpochs, let epochs):
            let update = Double(epoch * clock.updates + group)
            let warmup = (warmupEpochs * Double(clock.updates)).rounded(.toNearestOrEven)
            if update < warmup { return scale * base * (0.005 + 0.995 * update / warmup) }
            let last = Double(epochs * clock.updates - 1)
            return scale * base * (0.001 + 0.999 * halfCosine((update - warmup) / max(last - warmup, 1)))
        case .mae(let minimum, let warmupEpochs, let epochs):
            let first = group * clock.accumulation
            let position = Double(epoch) + Double(first) / Double(clock.microBatches)
            if position < warmupEpochs { return scale * base * position / warmupEpochs }
            let phase = (position - warmupEpochs) / (Double(epochs) - warmupEpochs)
            return scale * (minimum + (base - minimum) * halfCosine(phase))
        case .deiT, .crate, .crateFineTuning, .cosine, .warmRestarts, .multistep, .step:
            return scale * rate(ofEpoch: epoch, base: base)
        }
    }

    private func rate(ofEpoch epoch: Int, base: Double) -> Double {
        let position = Double(epoch)
        switch self {
        case .deiT(let warmupStart, let minimum, let warmupEpochs, let epochs):
            let late = Double(max(epoch - 1, 0))
            if late < Double(warmupEpochs) { return warmupStart + late * (base - warmupStart) / Double(warmupEpochs) }
            return minimum + (base - minimum) * halfCosine(late / Double(epochs))
        case .crate(let warmupEpochs, let epochs):
            return base * min((position + 1) / (Double(warmupEpochs) + 1e-8), halfCosine(position / Double(epochs)))
        case .crateFineTuning(let epochs):
            return epoch == 0 ? base : base * halfCosine((position - 2) / Double(epochs))
        case .cosine(let minimum, let epochs):
            return minimum + (base - minimum) * halfCosine(position / Double(epochs))
        case .warmRestarts(let minimum, let periodEpochs):
            return minimum + (base - minimum) * halfCosine(Double(epoch % periodEpochs) / Double(periodEpochs))
        case .multistep(let epochs, let factor):
            return base * pow(factor, Double(epochs.count { $0 <= epoch }))
        case .step(let everyEpochs, let factor):
            return base * pow(factor, Double(epoch / everyEpochs))
        case .constant, .simMIM, .sparK, .mae:
            return base
        }
    }
}

/// (1 + cos(πx)) / 2
func halfCosine(_ x: Double) -> Double { (1 + cos(Double.pi * x)) / 2 }
