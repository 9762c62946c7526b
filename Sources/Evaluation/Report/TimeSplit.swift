import Training

/// Where the seconds of a run went.
struct TimeSplit: Equatable, Sendable {
    static let names = ["compute and the rest", "waiting for data", "waiting for exchange"]

    /// Seconds in the order of `names`.
    private(set) var seconds = [0.0, 0.0, 0.0]
    /// The steps that they were spent on.
    private(set) var steps = 0...0

    var total: Double { seconds.reduce(0, +) }
    /// 0...1, in the order of `names`.
    var shares: [Double] { seconds.map { total > 0 ? $0 / total : 0 } }

    /// Each log interval of a run; intervals without a time or without shares are left out.
    static func intervals(_ metrics: MetricsLog) -> [TimeSplit] {
        var (before, step) = (0.0, 0)
        return metrics.intervals.compactMap { line in
            guard let end = line["seconds"] else { return nil }
            let (length, first) = (end - before, step + 1)
            (before, step) = (end, line.step)
            guard length > 0, first <= line.step, let data = line["data_wait_share"],
                let exchange = line["exchange_wait_share"]
            else { return nil }
            // Shares are measured apart from the seconds and may exceed them by a hair.
            let waits = [data, exchange].map { min(max($0, 0), 1) * length }
            var split = TimeSplit()
            split.seconds = [max(0, length - waits[0] - waits[1])] + waits
            split.steps = first...line.step
            return split
        }
    }

    /// Several splits as one.
    static func sum(_ splits: some Collection<TimeSplit>) -> TimeSplit {
        var sum = TimeSplit()
        guard let first = splits.first else { return sum }
        sum.steps = first.steps
        for split in splits {
            sum.seconds = zip(sum.seconds, split.seconds).map(+)
            sum.steps = sum.steps.lowerBound...max(sum.steps.upperBound, split.steps.upperBound)
        }
        return sum
    }

    /// At most `count` splits of about equally many intervals each.
    static func binned(_ splits: [TimeSplit], count: Int) -> [TimeSplit] {
        let bins = min(count, splits.count)
        return (0..<bins).map { sum(splits[splits.count * $0 / bins..<splits.count * ($0 + 1) / bins]) }
    }
}
