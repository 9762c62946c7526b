import Checkpoints
import Messages
import Training

/// The saved steps.
struct CheckpointSection: ReportSection {
    let title = "Checkpoints"

    func content(_ runs: [ReportedRun]) -> HTML {
        each(runs) { run in
            var table = HTMLTable(head: ["step", "epoch", "size", "", ""], numbers: [1, 2])
            for step in run.savedSteps.reversed() {
                let state: HTML =
                    step.problem != nil
                    ? "<span class=\"state stopped\">damaged</span>"
                    : step.isVerified ? "<span class=\"state finished\">valid</span>" : "complete"
                table.rows.append([
                    "<code>\(step.name)</code>", "\(step.state.map { String($0.epoch) } ?? "–")",
                    "\(step.bytes.map(sizeText) ?? "–")", state, "\(step.problem ?? "")",
                ])
            }
            return table.html
        } + note(runs.flatMap(\.savedSteps))
    }

    private func note(_ steps: [ReportedRun.SavedStep]) -> HTML {
        guard steps.contains(where: { !$0.isVerified && $0.problem == nil }) else { return "" }
        return """
            <p class="note">Complete: every file has its size. With <code>--verify</code> every byte is compared with its \
            checksum.</p>

            """
    }
}

/// Updates that changed no weight because the gradient was not finite, and other events without numbers.
struct SkippedSection: ReportSection {
    let title = "Skipped updates"

    func content(_ runs: [ReportedRun]) -> HTML {
        each(runs) { run in
            var table = HTMLTable(
                head: ["step", "epoch", "loss", "first in", "samples of the batch"], numbers: [0, 1])
            for (step, facts) in run.captures {
                let samples = facts["samples"]?.integers ?? []
                let shown = samples.prefix(16).map(String.init).joined(separator: ", ")
                table.rows.append([
                    "\(countText(step))", "\(facts["epoch"]?.plainText ?? "–")", "\(facts["loss"]?.plainText ?? "–")",
                    "\(facts["operation"]?.plainText ?? "–")", "\(shown)\(samples.count > 16 ? ", …" : "")",
                ])
            }
            let measured = Set(run.metrics.measured.map(\.event))
            let others = run.metrics.events.filter { !measured.contains($0.event ?? "") }
            let lines = others.suffix(50).map { "<li>step \(countText($0.step)): \($0.event ?? "")</li>\n" as HTML }
            let list: HTML = lines.isEmpty ? "" : "<ul>\n\(lines)</ul>\n"
            return count(run) + table.html + list
        }
    }

    private func count(_ run: ReportedRun) -> HTML {
        guard let state = run.newestState, state.iteration > state.updates else { return "" }
        let skipped = countText(state.iteration - state.updates)
        return
            "<p>\(skipped) of \(countText(state.iteration)) updates changed no weight: the gradient was not finite.</p>\n"
    }
}
