import Training

/// Curves of the log's values over the steps; runs over each other.
struct CurveSection: ReportSection {
    let title = "Curves"

    private static let titles = [
        "loss": "Loss", "lr": "Learning rate", "grad_norm": "Gradient norm", "images_per_second": "Images per second",
    ]
    /// Known from the other numbers, or shown in a section of their own.
    private static let omitted: Set<String> = [
        "step", "epoch", "samples", "seconds", "data_wait_share", "exchange_wait_share",
    ]

    func content(_ runs: [ReportedRun]) -> HTML {
        let names = Set(runs.flatMap(\.metrics.names)).subtracting(Self.omitted)
        let measures = names.subtracting(Self.titles.keys).sorted()
        let marks = Self.marks(runs)
        let charts = (["loss", "lr", "grad_norm"] + measures + ["images_per_second"]).compactMap { name in
            LineChart(
                Self.titles[name] ?? name, Self.curves(runs) { $0.metrics.points(name) }, marks: marks,
                spread: name == "lr" ? .linear : name == "images_per_second" ? .fromZero : .automatic,
                isSmoothed: name != "lr")
        }.map(\.html)
        guard !charts.isEmpty else { return "" }
        let hint: HTML =
            marks.isEmpty
            ? "" : "<p class=\"note\">Dashed upright lines: the run was interrupted there and resumed.</p>\n"
        return "\(Self.legend(runs))<div class=\"charts\">\n\(charts)</div>\n\(hint)"
    }

    /// One line for each run.
    static func curves(_ runs: [ReportedRun], _ points: (ReportedRun) -> [Curve.Point]) -> [Curve] {
        runs.enumerated().map { number, run in
            Curve(name: run.name, colour: number % ReportStyle.colourCount, points: points(run))
        }.filter { !$0.points.isEmpty }
    }

    /// Which colour is which run; empty for one.
    static func legend(_ runs: [ReportedRun]) -> HTML {
        runs.count > 1 ? legend(runs.map(\.name)) : ""
    }

    static func legend(_ names: [String]) -> HTML {
        let items = names.enumerated().map { number, name in
            "<span><i class=\"c\(number % ReportStyle.colourCount)\"></i>\(name)</span>\n" as HTML
        }
        return "<p class=\"legend\">\n\(items)</p>\n"
    }

    private static func marks(_ runs: [ReportedRun]) -> [LineChart.Mark] {
        runs.flatMap { run in
            run.resumedAfter.map { step in
                LineChart.Mark(
                    step: step, label: (runs.count > 1 ? run.name + ": " : "") + "resumed after step \(countText(step))"
                )
            }
        }
    }
}
