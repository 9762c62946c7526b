import Glibc

/// The curves of microsoft/SimMIM over finished micro-batches t: a linear warm-up, then one of four shapes. The phase
/// of the cosine counts from 0, not from the end of the warm-up, so there is a small jump down at it. The reference
/// steps its scheduler after the optimiser, so an update runs at the value of the one before: `Schedule` sees to that.
public struct SimMIMCurve: Sendable, Equatable {
    public enum Shape: Sendable, Equatable {
        case cosine(minimum: Double)
        /// `factor` at each of `epochs`.
        case multistep(epochs: [Int], factor: Double)
        /// `factor` every `everyEpochs`.
        case step(everyEpochs: Int, factor: Double)
        /// Straight from the base to `end` of it.
        case linear(end: Double)
    }

    public let shape: Shape
    /// The rate at t = 0, the same number for every group.
    public let warmupStart: Double
    public let warmupEpochs: Double
    public let epochs: Int

    public init(_ shape: Shape, warmupStart: Double, warmupEpochs: Double, epochs: Int) {
        self.shape = shape
        self.warmupStart = warmupStart
        self.warmupEpochs = warmupEpochs
        self.epochs = epochs
    }

    /// - Parameters:
    ///   - finished: t, the index of the last finished micro-batch.
    ///   - epochUpdates: t of one epoch.
    func rate(after finished: Int, base: Double, epochUpdates: Int) -> Double {
        let warmup = Int(warmupEpochs * Double(epochUpdates)), total = epochs * epochUpdates
        if finished < warmup { return warmupStart + Double(finished) * (base - warmupStart) / Double(warmup) }
        switch shape {
        case .cosine(let minimum):
            guard finished < total else { return minimum }
            return minimum + (base - minimum) * halfCosine(Double(finished) / Double(total))
        case .multistep(let epochs, let factor):
            return base * pow(factor, Double(epochs.count { $0 * epochUpdates <= finished }))
        case .step(let everyEpochs, let factor):
            return base * pow(factor, Double(finished / (everyEpochs * epochUpdates)))
        case .linear(let end):
            return base - (1 - end) * base * Double(finished - warmup) / Double(max(total - warmup, 1))
        }
    }
}
