import Evaluation
import Foundation
import FoundationXML

/// A run folder made by hand, and the page about it.
final class ReportFolder {
    let scratch: Scratch
    let path: String

    init(_ name: String = "run", recipe: String = "kind: pretrain\nobjective:\n  kind: simmim\n") throws {
        scratch = try Scratch()
        path = scratch.path + "/" + name
        try write("resolved.yaml", recipe)
    }

    func write(_ name: String, _ text: String) throws { try write(name, Array(text.utf8)) }

    func write(_ name: String, _ bytes: [UInt8]) throws {
        let file = URL(fileURLWithPath: path).appendingPathComponent(name)
        try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(bytes).write(to: file)
    }

    /// Log lines of these steps; every step takes 2 s, of which a tenth waits for data and a fifth for exchange.
    func writeMetrics(_ steps: some Sequence<Int>, last: String = "", loss: (Int) -> String = { "\(1 / Double($0))" })
        throws
    {
        let lines = steps.map { step in
            """
            {"step": \(step), "epoch": 0, "samples": \(step * 8), "loss": \(loss(step)), "lr": 0.001, "grad_norm": 2.5, \
            "images_per_second": 4.0, "data_wait_share": 0.1, "exchange_wait_share": 0.2, "seconds": \(2 * step)}

            """
        }
        try write("metrics.jsonl", lines.joined() + last)
    }

    func page(now: Double? = nil) throws -> Page { try Page([path], now: now) }
}

/// A report that has been read as XML: it is well-formed.
struct Page {
    let text: String
    private let document: XMLDocument

    init(_ folders: [String], now: Double? = nil, verifying: ((Int, Int) -> Void)? = nil) throws {
        let bytes = try RunReport(folders, now: now, verifying: verifying).page
        text = String(decoding: bytes, as: UTF8.self)
        document = try XMLDocument(data: Data(bytes), options: [])
    }

    /// All elements of a kind.
    func elements(_ name: String) -> [XMLElement] {
        func below(_ node: XMLNode) -> [XMLElement] {
            let children = (node.children ?? []).flatMap(below)
            return (node as? XMLElement).map { $0.name == name ? [$0] + children : children } ?? children
        }
        return document.rootElement().map(below) ?? []
    }

    func texts(_ name: String) -> [String] { elements(name).map { $0.stringValue ?? "" } }

    var sections: [String] { elements("section").compactMap { value("id", of: $0) } }

    /// The rows of all tables, cells joined by `|`.
    var rows: [String] {
        elements("tr").map { ($0.children ?? []).map { $0.stringValue ?? "" }.joined(separator: "|") }
    }

    /// The drawing commands of the lines of a chart.
    func lines(_ chart: String) -> [String] {
        elements("figure").filter { $0.elements(forName: "figcaption").first?.stringValue?.hasPrefix(chart) == true }
            .flatMap { $0.elements(forName: "svg") }.flatMap { $0.elements(forName: "g") }
            .flatMap { $0.elements(forName: "path") }
            .filter { ["line", "raw"].contains(value("class", of: $0)) }
            .compactMap { value("d", of: $0) }
    }

    /// `attribute(forName:)` finds nothing where the page has a namespace.
    private func value(_ name: String, of element: XMLElement) -> String? {
        element.attributes?.first { $0.name == name }?.stringValue
    }
}
