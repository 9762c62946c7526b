import Training

/// Where the seconds went: computing, waiting for data, waiting for other ranks.
struct TimeSection: ReportSection {
    let title = "Time"

    private static let binCount = 60

    func content(_ runs: [ReportedRun]) -> HTML {
        let splits = runs.map { (run: $0, intervals: TimeSplit.intervals($0.metrics)) }.filter { !$0.intervals.isEmpty }
        guard !splits.isEmpty else { return "" }
        var table = HTMLTable(head: [""] + TimeSplit.names.map { "\($0)" } + ["together", ""])
        table.numbers = Set(1...TimeSplit.names.count + 1)
        for (run, intervals) in splits {
            let sum = TimeSplit.sum(intervals)
            let cells = zip(sum.seconds, sum.shares).map { "\(durationText($0)) (\(percentText($1)))" as HTML }
            table.rows.append(["\(run.name)"] + cells + ["\(durationText(sum.total))", bar(sum)])
        }
        let charts = splits.map { run, intervals in chart(intervals, name: runs.count > 1 ? run.name + ": " : "") }
        return "\(legend)\(table.html)<div class=\"charts\">\n\(charts)</div>\n"
    }

    private var legend: HTML {
        let items = TimeSplit.names.enumerated().map { "<span><i class=\"t\($0)\"></i>\($1)</span>\n" as HTML }
        return "<p class=\"legend\">\n\(items)</p>\n"
    }

    /// The shares of the whole as one bar.
    private func bar(_ split: TimeSplit) -> HTML {
        """
        <svg class="bar" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 12" role="img" aria-label="time split">\
        \(parts(split, alongWidth: 200, y: 0, thickness: 12))</svg>
        """
    }

    private func parts(_ split: TimeSplit, alongWidth width: Double, y: Double, thickness: Double) -> [HTML] {
        var start = 0.0
        return split.shares.enumerated().map { kind, share in
            defer { start += share * width }
            return """
                <rect class="t\(kind)" x="\(pixels(start))" y="\(pixels(y))" width="\(pixels(share * width))" \
                height="\(pixels(thickness))"><title>\(TimeSplit.names[kind]): \(percentText(share))</title></rect>
                """
        }
    }

    /// The shares over the steps, columns of equally many intervals.
    private func chart(_ intervals: [TimeSplit], name: String) -> HTML {
        let (width, height, left, bottom) = (LineChart.width, 150.0, 62.0, 24.0)
        let bins = TimeSplit.binned(intervals, count: Self.binCount)
        let first = Double(bins.first?.steps.lowerBound ?? 0)
        let last = Double(max(bins.last?.steps.upperBound ?? 1, (bins.first?.steps.lowerBound ?? 0) + 1))
        let axis = Axis(first...last, count: 6)
        func x(_ step: Double) -> Double { left + axis.position(step) * (width - left - 24) }
        func y(_ share: Double) -> Double { height - bottom - share * (height - bottom - 10) }
        let columns = bins.map { bin in
            let from = x(Double(bin.steps.lowerBound) - (bin.steps.lowerBound > Int(first) ? 1 : 0))
            return column(bin, x: from, width: max(x(Double(bin.steps.upperBound)) - from, 1), y: y)
        }
        let rows = [0.0, 0.5, 1].map { share in
            """
            <path class="grid" d="M\(pixels(left)) \(pixels(y(share)))H\(pixels(width - 24))"/>\
            <text x="\(pixels(left - 6))" y="\(pixels(y(share)))" dy="0.35em" text-anchor="end">\
            \(shortText(100 * share, digits: 0)) %</text>

            """ as HTML
        }
        let labels = axis.ticks.map { tick in
            """
            <text x="\(pixels(x(tick.value)))" y="\(pixels(height - bottom + 15))" text-anchor="middle">\(tick.label)</text>

            """ as HTML
        }
        return """
            <figure class="chart"><figcaption>\(name)Time split over steps</figcaption>
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(pixels(width)) \(pixels(height))" role="img" \
            aria-label="time split over steps">
            \(rows)\(columns)\(labels)</svg></figure>

            """
    }

    private func column(_ bin: TimeSplit, x: Double, width: Double, y: (Double) -> Double) -> HTML {
        var base = 0.0
        let parts = bin.shares.enumerated().map { kind, share in
            defer { base += share }
            return """
                <rect class="t\(kind)" x="\(pixels(x))" y="\(pixels(y(base + share)))" width="\(pixels(width))" \
                height="\(pixels(y(base) - y(base + share)))"/>
                """ as HTML
        }
        let texts = zip(TimeSplit.names, bin.shares).map { "\($0) \(percentText($1))" }
        let steps = "steps \(countText(bin.steps.lowerBound)) to \(countText(bin.steps.upperBound))"
        return "<g>\(parts)<title>\(([steps] + texts).joined(separator: "\n"))</title></g>\n"
    }
}

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
