import Checkpoints
import Messages

/// Scores: measured during training from the log, and measured afterwards with their evaluation cards.
struct EvaluationSection: ReportSection {
    let title = "Evaluation"

    func content(_ runs: [ReportedRun]) -> HTML {
        let events = eventCharts(runs)
        let cards = scoreTable(runs) + cardCharts(runs) + each(runs) { "\($0.cards.map(card))" }
        return events + cards
    }

    /// A chart for each number of each event.
    private func eventCharts(_ runs: [ReportedRun]) -> HTML {
        let all = runs.flatMap {
            $0.metrics.measured.flatMap { event, names in names.map { Measure(event: event, name: $0) } }
        }
        var table = HTMLTable(head: ["measure", "run", "last", "step", "lowest", "step", "highest", "step"])
        table.numbers = Set(2...7)
        var charts: [HTML] = []
        for measure in Set(all).sorted(by: { ($0.event, $0.name) < ($1.event, $1.name) }) {
            let curves = CurveSection.curves(runs) { $0.metrics.points(measure.name, of: measure.event) }
            if let chart = LineChart(measure.title, curves) { charts.append(chart.html) }
            for curve in curves { table.rows.append(extremes(of: curve, measure)) }
        }
        guard !table.rows.isEmpty else { return "" }
        return """
            <h3>During training</h3>
            \(CurveSection.legend(runs))<div class="charts">
            \(charts)</div>
            \(table.html)
            """
    }

    private struct Measure: Hashable {
        let event, name: String
        var title: String { event == "evaluation" ? name : "\(event): \(name)" }
    }

    private func extremes(of curve: Curve, _ measure: Measure) -> [HTML] {
        let points = curve.points.compactMap { point in point.y.map { (step: point.x, value: $0) } }
        let picks = [points.last, points.min { $0.value < $1.value }, points.max { $0.value < $1.value }]
        return ["\(measure.title)", "\(curve.name)"]
            + picks.flatMap { pick -> [HTML] in
                guard let pick else { return ["–", "–"] }
                return ["\(valueText(pick.value))", "\(countText(Int(pick.step)))"]
            }
    }

    /// The scores of all cards beside each other.
    private func scoreTable(_ runs: [ReportedRun]) -> HTML {
        let names = Set(runs.flatMap { $0.cards.flatMap(\.scores.keys) }).sorted()
        var table = HTMLTable(head: ["run", "protocol", "step"] + names.map { "\($0)" } + ["seeds", "evaluated on"])
        table.numbers = Set(2..<4 + names.count)
        for run in runs {
            for card in run.cards {
                let scores = names.map { name in card.scores[name].map { "\(text(of: $0))" as HTML } ?? "–" }
                let step = card.step.map { countText($0) } ?? "–"
                table.rows.append(
                    ["\(run.name)", "\(card.name)", "\(step)"] + scores
                        + ["\(card.seeds.count)", "\(card.data.evaluation)"])
            }
        }
        return table.rows.isEmpty ? "" : "<h3>After training</h3>\n" + table.html
    }

    /// Scores over the steps behind them, where a protocol was used at several: is training longer worth it?
    private func cardCharts(_ runs: [ReportedRun]) -> HTML {
        let measures = runs.flatMap {
            $0.cards.flatMap { card in card.scores.keys.map { Measure(event: card.name, name: $0) } }
        }
        let charts = Set(measures).sorted { ($0.event, $0.name) < ($1.event, $1.name) }.compactMap { measure -> HTML? in
            let curves = CurveSection.curves(runs) { run in
                run.cards.filter { $0.name == measure.event }.compactMap { card -> Curve.Point? in
                    guard let step = card.step, let score = card.scores[measure.name] else { return nil }
                    return Curve.Point(Double(step), score.mean)
                }
            }.filter { Set($0.points.map(\.x)).count > 1 }
            return LineChart("\(measure.event): \(measure.name)", curves)?.html
        }
        return charts.isEmpty ? "" : "<div class=\"charts\">\n\(charts)</div>\n"
    }

    /// All that one must know to measure the scores again.
    private func card(_ card: EvaluationCard) -> HTML {
        var facts = HTMLTable(head: [])
        facts.rows = [
            ["<b>checkpoint</b>", "<code>\(card.checkpoint)</code>"],
            ["<b>trained on</b>", "\(card.data.train), \(countText(card.data.trainSamples)) samples"],
            ["<b>evaluated on</b>", "\(card.data.evaluation), \(countText(card.data.evaluationSamples)) samples"],
            ["<b>seeds</b>", "\(card.seeds.map(String.init).joined(separator: ", "))"],
        ]
        for (name, score) in card.scores.sorted(by: { $0.key < $1.key }) {
            let values = score.values.map { valueText($0) }.joined(separator: ", ")
            facts.rows.append(["<b>\(name)</b>", "\(text(of: score)) <small>(\(values))</small>"])
        }
        for (key, value) in card.settings.sorted(by: { $0.key < $1.key }) {
            facts.rows.append(["\(key)", "\(value.plainText)"])
        }
        facts.rows.append(["<b>measured</b>", "\(card.date)"])
        return folded("Evaluation card: \(card.name)" + (card.step.map { ", step \(countText($0))" } ?? ""), facts.html)
    }

    private func text(of score: EvaluationCard.Score) -> String {
        valueText(score.mean) + (score.sd.map { " ± " + valueText($0, digits: 2) } ?? "")
    }
}

extension JSON {
    /// In one line, for people: `cosine`, `1, 2, 3`, `k: 20, T: 0.07`.
    var plainText: String {
        switch self {
        case .null: "–"
        case .bool(let value): value ? "yes" : "no"
        case .integer(let value): String(value)
        case .number(let value): "\(value)"
        case .string(let value): value
        case .array(let values): values.map(\.plainText).joined(separator: ", ")
        case .object(let values):
            values.keys.sorted().map { "\($0): \(values[$0]?.plainText ?? "")" }.joined(separator: ", ")
        }
    }
}
