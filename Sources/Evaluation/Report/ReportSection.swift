/// A part of a report. Another one is a type like these and its place in `RunReport.sections`.
protocol ReportSection: Sendable {
    /// The heading; also its place in the list of contents.
    var title: String { get }
    /// What stands under the heading; empty leaves the section out.
    func content(_ runs: [ReportedRun]) -> HTML
}

extension ReportSection {
    /// The same for each run, under its name where there are several; runs that have nothing to show are left out.
    func each(_ runs: [ReportedRun], _ body: (ReportedRun) -> HTML) -> HTML {
        let parts = runs.map { run in
            let part = body(run)
            let name: HTML = runs.count > 1 ? "<h3>\(run.name)</h3>\n" : ""
            return part.isEmpty ? part : name + part
        }
        return "\(parts)"
    }

    /// A text that is shown on demand.
    func folded(_ title: String, _ content: HTML) -> HTML {
        "<details><summary>\(title)</summary>\n\(content)</details>\n"
    }
}
