import Kernels

/// The small sum that every step makes anyway, which also carries the decisions that all ranks must take alike: whether
/// the step is usable and whether this is the last one.
public final class StepStatistics {
    /// Totals that all ranks know after the sum.
    public struct Total: Sendable, Equatable {
        /// Sum of the losses, weighted as they were handed in.
        public let loss: Double
        /// Sum of the weights: samples or masked elements.
        public let weight: Double
        /// Ranks that met a value which is not finite.
        public let ranksWithNonFiniteLoss: Int
        /// True when any rank was asked to stop: every rank stops after this same step.
        public let mustStop: Bool
    }

    private let communicator: any Communicator
    private let values = Doubles(zeros: 4)

    public init(_ communicator: any Communicator) { self.communicator = communicator }

    /// Collective, once a step. A loss that is not finite is counted and skipped, so that the sum stays a number.
    public func add(loss: Double, weight: Double, isFinite: Bool, mustStop: Bool) throws(ClusterError) -> Total {
        let isUsable = isFinite && loss.isFinite && weight.isFinite
        values[0] = isUsable ? loss : 0
        values[1] = isUsable ? weight : 0
        values[2] = isUsable ? 0 : 1
        values[3] = mustStop ? 1 : 0
        try communicator.sum(values)
        return Total(
            loss: values[0], weight: values[1], ranksWithNonFiniteLoss: Int(values[2]), mustStop: values[3] > 0)
    }
}

/// Finds a rank that slows the others down. Every rank notes how long it computed, without its waits; every
/// `interval` steps one small sum tells all ranks the times of all.
public final class StepTimes {
    /// A rank that is much slower than the middle one.
    public struct SlowRank: Sendable, Equatable, CustomStringConvertible {
        public let rank: Int
        public let host: String
        public let seconds: Double
        public let medianSeconds: Double

        public var description: String {
            let (own, middle) = (milliseconds(seconds), milliseconds(medianSeconds))
            return "rank \(rank) on \(host) computes \(own) ms a step, the median rank \(middle) ms: all wait for it"
        }
    }

    private let communicator: any Communicator
    private let interval: Int
    private let times: Doubles
    private var steps = 0
    private var seconds = 0.0

    /// - Parameter interval: steps between two comparisons; a slow rank is known after at most two.
    public init(_ communicator: any Communicator, interval: Int = 20) {
        precondition(interval > 0, "an interval has at least one step")
        (self.communicator, self.interval) = (communicator, interval)
        times = Doubles(zeros: communicator.size)
    }

    /// Collective, once a step: the seconds that this rank computed. Returns the slowest rank, the same on every
    /// rank, when it took 1.3 times as long as the median and at least 20 ms more.
    public func note(seconds: Double) throws(ClusterError) -> SlowRank? {
        self.seconds += seconds
        steps += 1
        guard steps == interval, communicator.size > 1 else { return nil }
        times.fill(0)
        times[communicator.rank] = self.seconds / Double(steps)
        (steps, self.seconds) = (0, 0)
        try communicator.sum(times)
        // The lower middle: of two ranks the slow one must not be its own measure.
        let median = times.array.sorted()[(times.count - 1) / 2]
        guard let slowest = (0..<times.count).max(by: { times[$0] < times[$1] }) else { return nil }
        let time = times[slowest]
        guard time > 1.3 * median, time > median + 0.02 else { return nil }
        return SlowRank(rank: slowest, host: communicator.hosts[slowest], seconds: time, medianSeconds: median)
    }
}

private func milliseconds(_ seconds: Double) -> Int { Int((seconds * 1000).rounded()) }
