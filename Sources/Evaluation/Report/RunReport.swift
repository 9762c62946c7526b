public import Checkpoints
import FoundationEssentials

/// A report on runs as one page that needs nothing else: no network, no script. Also for a run that is
/// still going on.
public struct RunReport: Sendable {
    /// In the order of the page.
    private static let sections: [any ReportSection] = [
        SummarySection(), CurveSection(), EvaluationSection(), LayerSection(), ImageSection(), TimeSection(),
        CheckpointSection(),
        SkippedSection(), EnvironmentSection(), RecipeSection(),
    ]

    private let runs: [ReportedRun]
    private let now: Date

    /// Reads the folders of one or more runs.
    /// - Parameters:
    ///   - now: when the report is made, seconds since 1970.
    ///   - verifying: told the bytes read and the bytes of all while checkpoints are compared with their checksums; nil
    ///     looks at their presence and size only.
    public init(
        _ folders: [String], now: Double? = nil, verifying: ((_ done: Int, _ total: Int) -> Void)? = nil
    ) throws(CheckpointError) {
        self.now = now.map { Date(timeIntervalSince1970: $0) } ?? Date()
        let paths = folders.map { path in
            var path = path
            while path.count > 1, path.hasSuffix("/") { path.removeLast() }
            return path
        }
        let names = paths.map { String($0.split(separator: "/").last ?? "/") }
        var runs: [ReportedRun] = []
        for (path, name) in zip(paths, names) {
            let isUnique = names.count { $0 == name } == 1
            let time = self.now.timeIntervalSince1970
            runs.append(try ReportedRun(path, name: isUnique ? name : path, now: time, verifying: verifying))
        }
        self.runs = runs
    }

    /// The page, UTF-8.
    public var page: [UInt8] {
        let parts = Self.sections.map { section in
            (title: section.title, content: section.content(runs))
        }.filter { !$0.content.isEmpty }
        let places = parts.map { "<a href=\"#\(Self.anchor($0.title))\">\($0.title)</a>\n" as HTML }
        let bodies = parts.map { part in
            """
            <section id="\(Self.anchor(part.title))"><h2>\(part.title)</h2>
            \(part.content)</section>

            """ as HTML
        }
        let text: HTML = """
            <!DOCTYPE html>
            <html lang="en" xmlns="http://www.w3.org/1999/xhtml">
            <head><meta charset="utf-8"/><meta name="viewport" content="width=device-width, initial-scale=1"/>
            <title>\(title)</title>
            <style>
            \(ReportStyle.sheet)
            </style></head>
            <body>
            <header><h1>\(title)</h1>
            <nav>\(places)</nav></header>
            <main>
            \(remarks)\(bodies)</main>
            <footer>Made by lacuna at \(now.formatted(.iso8601)).</footer>
            </body></html>

            """
        return Array(text.text.utf8)
    }

    private var title: String {
        guard runs.count == 1, let run = runs.first else { return "\(runs.count) runs compared" }
        return run.recipeName ?? run.name
    }

    private var remarks: HTML {
        let lines = runs.flatMap { run in
            run.remarks.map { "<li>\(runs.count > 1 ? run.name + ": " : "")\($0)</li>\n" as HTML }
        }
        return lines.isEmpty ? "" : "<ul class=\"remarks\">\n\(lines)</ul>\n"
    }

    private static func anchor(_ title: String) -> String { title.lowercased().replacing(" ", with: "-") }
}

/// A part of a report. Another one is a type like these and its place in `RunReport.sections`.
protocol ReportSection: Sendable {
    /// The heading; also its place in the list of contents.
    var title: String { get }
    /// Content under the heading; empty leaves the section out.
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
