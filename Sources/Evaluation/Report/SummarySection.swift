import Checkpoints
import FoundationEssentials
import Recipes
import Training

/// The runs and how far they have come, a column for each.
struct SummarySection: ReportSection {
    let title = "Summary"

    func content(_ runs: [ReportedRun]) -> HTML {
        let facts: [(name: HTML, value: (ReportedRun) -> HTML?)] = [
            ("state", { state($0.standing) }),
            ("recipe", { run in run.recipeName.map { "\($0)" } }),
            ("about", { run in run.setting("about").map { "\($0)" } }),
            ("expected", { run in run.setting("reference").map { "\($0)" } }),
            ("method", { method($0) }),
            ("model", { model($0) }),
            ("data", { data($0, "data.train") }),
            ("evaluated on", { data($0, "data.evaluation") }),
            ("batch, length", { length($0) }),
            ("progress", { progress($0) }),
            ("loss", { run in run.metrics.intervals.last?["loss"].map { "\(valueText($0))" } }),
            ("time", { time($0) }),
            ("folder", { "<code>\($0.path)</code>" }),
        ]
        var table = HTMLTable(head: runs.count > 1 ? [""] + runs.map { "\($0.name)" } : [])
        for fact in facts {
            let values = runs.map(fact.value)
            guard values.contains(where: { $0 != nil }) else { continue }
            table.rows.append(["<b>\(fact.name)</b>"] + values.map { $0 ?? "–" })
        }
        return table.html
    }

    private func state(_ standing: RunStanding) -> HTML {
        let kind: HTML =
            switch standing.state {
            case .finished: "finished"
            case .running: "running"
            case .silent, .stopped: "stopped"
            }
        return "<span class=\"state \(kind)\">\(standing.text)</span>"
    }

    private func method(_ run: ReportedRun) -> HTML? {
        guard let method = run.setting("objective.kind") else { return nil }
        return "\(method)\(run.setting("kind").map { ", \($0)" } ?? "")"
    }

    private func model(_ run: ReportedRun) -> HTML? {
        guard let kind = run.setting("model.kind") else { return nil }
        let words: KeyValuePairs = [
            "preset": "", "embed_dim": "width ", "depth": "depth ", "depths": "depths ", "num_heads": "heads ",
            "patch_size": "patch ", "window_size": "window ",
        ]
        let sizes = words.compactMap { key, word in run.setting("model." + key).map { word + $0 } }
        let count = run.savedSteps.last { $0.parameters != nil }?.parameters
        let parameters = count.map { ["\(countText($0)) parameters"] } ?? []
        let side = run.setting("images.size").map { ["\($0) px"] } ?? []
        return "\(([kind] + sizes + side + parameters).joined(separator: ", "))"
    }

    private func data(_ run: ReportedRun, _ section: String) -> HTML? {
        guard let settings = run.recipe?.value(at: section)?.flattened, let kind = run.setting(section + ".kind") else {
            return nil
        }
        let rest = settings.filter { $0.key != "kind" }.map {
            ["path", "split"].contains($0.key) ? $0.text : "\($0.key) \($0.text)"
        }
        let samples = section == "data.train" ? run.newestState?.data.counts["samples"] : nil
        let count = samples.map { ["\(countText($0)) samples"] } ?? []
        return "\(([kind] + rest + count).joined(separator: ", "))"
    }

    private func length(_ run: ReportedRun) -> HTML? {
        let parts = [
            run.setting("batch.global").map { "\($0) samples" }, run.setting("schedule.epochs").map { "\($0) epochs" },
            run.standing.total.map { "\(countText($0)) steps" }, run.setting("optimizer.kind"),
        ].compactMap { $0 }
        return parts.isEmpty ? nil : "\(parts.joined(separator: ", "))"
    }

    private func progress(_ run: ReportedRun) -> HTML? {
        let standing = run.standing
        guard standing.step > 0 else { return "no step yet" }
        let resumed = run.resumedAfter.map(countText).joined(separator: ", ")
        let rest = [
            standing.total.map { " of \(countText($0))" },
            standing.secondsLeft.map { ", about \(durationText($0)) left" },
            resumed.isEmpty ? nil : ", resumed after \(resumed)",
        ].compactMap { $0 }.joined()
        let bar = standing.total.map { total -> HTML in
            let share = min(1, Double(standing.step) / Double(max(1, total)))
            return "<progress value=\"\(pixels(100 * share))\" max=\"100\"></progress> "
        }
        return "\(bar ?? "")step \(countText(standing.step))\(rest)"
    }

    private func time(_ run: ReportedRun) -> HTML? {
        let start = run.startSeconds.map { "started " + Date(timeIntervalSince1970: Double($0)).formatted(.iso8601) }
        let parts = [
            run.standing.seconds.map { durationText($0) + " of training" },
            run.metrics.intervals.last?["images_per_second"].map { valueText($0) + " images/s at last" }, start,
        ].compactMap { $0 }
        return parts.isEmpty ? nil : "\(parts.joined(separator: ", "))"
    }
}
