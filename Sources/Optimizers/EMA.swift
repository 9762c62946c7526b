import Glibc
public import Kernels

/// Exponential moving average of a model: `e = d·e + (1-d)·w` after every update that was not skipped. Starts as a copy.
public struct WeightEMA: Sendable {
    public let values: Floats
    /// Running statistics, averaged as the parameters are (timm's form); empty where only parameters are averaged.
    public let statistics: [Floats]
    /// Counters such as `num_batches_tracked`: whole numbers.
    public let counters: [Floats]

    public init(copying values: Floats, statistics: [Floats] = [], counters: [Floats] = []) {
        self.values = Floats(zeros: values.count)
        self.statistics = statistics.map { Floats(zeros: $0.count) }
        self.counters = counters.map { Floats(zeros: $0.count) }
        restart(from: values, statistics: statistics, counters: counters)
    }

    /// Begins anew as a copy.
    public func restart(from values: Floats, statistics: [Floats], counters: [Floats]) {
        for (copy, current) in memory(with: values, statistics, counters) { copy.copy(from: current) }
    }

    /// Exchanges the average with what it is an average of.
    public func swap(with values: Floats, statistics: [Floats], counters: [Floats]) {
        for (average, current) in memory(with: values, statistics, counters) { current.swap(with: average) }
    }

    /// All that an average is.
    public var memory: [Floats] { [values] + statistics + counters }

    private func memory(with values: Floats, _ statistics: [Floats], _ counters: [Floats]) -> [(Floats, Floats)] {
        Array(zip(memory, [values] + statistics + counters))
    }

    /// One blend of the parameters.
    public func blend(_ current: Floats, keep: Double, pool: WorkerPool) {
        pool.blend(current, into: values, keep: keep)
    }

    /// One blend of the running statistics and the counters; a counter is cut toward zero, as timm writes it back, so
    /// that it stays at its start for a long time.
    public func blend(statistics current: [Floats], counters latest: [Floats], keep: Double, pool: WorkerPool) {
        precondition(latest.count == counters.count, "\(latest.count) counters for \(counters.count) averages")
        precondition(current.count == statistics.count, "\(current.count) statistics for \(statistics.count) averages")
        for index in current.indices { pool.blend(current[index], into: statistics[index], keep: keep) }
        for index in counters.indices {
            let counter = counters[index]
            counter[0] = Float((keep * Double(counter[0]) + (1 - keep) * Double(latest[index][0])).rounded(.towardZero))
        }
    }
}

/// The EMA decay `d`.
public enum EMADecay: Sendable, Equatable {
    case constant(Double)
    /// ELR+: `d·rampUp(k + 1)` over the length of the ramp; the update k counts from 1.
    case ramp(Double, updates: Int)
    /// ELR+ without a ramp: `min(1 - 1/(k + 1), d)`.
    case warm(Double)

    /// - Parameter update: finished updates including this one, from 1.
    public func value(at update: Int) -> Double {
        switch self {
        case .constant(let decay): return decay
        case .ramp(let decay, let updates): return decay * rampUp(update + 1, over: updates)
        case .warm(let decay): return min(1 - 1 / Double(update + 1), decay)
        }
    }
}

/// `exp(-5(1 - min(step, length)/length)²)`, 1 for length 0: the ramp of ELR+, of its average and of its loss weight.
public func rampUp(_ step: Int, over length: Int) -> Double {
    guard length > 0 else { return 1 }
    let missing = 1 - Double(min(step, length)) / Double(length)
    return exp(-5 * missing * missing)
}
