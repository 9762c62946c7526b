import FoundationEssentials
import Kernels
import Platform

/// The lines of a run's `metrics.jsonl`, also of one that is being written. Lines that are none of ours are counted and
/// skipped.
struct MetricsLog: Sendable {
    /// One line: a log interval, or an event such as an evaluation.
    struct Line: Sendable {
        let step: Int
        /// Nil for a log interval.
        let event: String?
        /// Numbers by name; nil where one was not finite.
        let numbers: [String: Double?]

        /// Nil where there is none, or it is not finite.
        subscript(name: String) -> Double? { numbers[name] ?? nil }
    }

    /// Log intervals, ascending by step.
    private(set) var intervals: [Line] = []
    /// Evaluations and other events, in their order.
    private(set) var events: [Line] = []
    private(set) var otherLines = 0
    private static let limitBytes = 1 << 29

    init() {}

    /// A missing file has no lines.
    init(_ path: String) throws(FileError) {
        let isThere = FileStatus(path, followingLinks: true) != nil
        self.init(text: isThere ? try InputFile.contents(path, limit: Self.limitBytes).array : [])
    }

    /// - Parameter text: what stands after the last line break is half a line and waits for its rest.
    init(text: [UInt8]) {
        let decoder = JSONDecoder()
        let end = text.lastIndex(of: UInt8(ascii: "\n")) ?? 0
        for line in text[..<end].split(separator: UInt8(ascii: "\n")) {
            guard let fields = try? decoder.decode([String: Field].self, from: Data(line)),
                let step = fields["step"]?.number.flatMap({ Int(exactly: $0) })
            else {
                otherLines += 1
                continue
            }
            add(Line(step: step, event: fields["event"]?.text, numbers: fields.compactMapValues(\.value)))
        }
    }

    /// A step that was written again, as after a resume elsewhere, replaces what followed it.
    private mutating func add(_ line: Line) {
        guard line.event == nil else {
            events.append(line)
            return
        }
        while let last = intervals.last, last.step >= line.step { intervals.removeLast() }
        intervals.append(line)
    }

    /// A number of the log intervals over the steps.
    func points(_ name: String) -> [Curve.Point] {
        intervals.compactMap { line in line.numbers[name].map { Curve.Point(Double(line.step), $0) } }
    }

    /// A number of an event over the steps; the last one where a step has several.
    func points(_ name: String, of event: String) -> [Curve.Point] {
        var points: [Int: Double?] = [:]
        for line in events where line.event == event {
            if let value = line.numbers[name] { points[line.step] = value }
        }
        return points.sorted { $0.key < $1.key }.map { Curve.Point(Double($0.key), $0.value) }
    }

    /// Names of the numbers of log intervals, sorted.
    var names: [String] { Set(intervals.flatMap(\.numbers.keys)).sorted() }

    /// Events that carry numbers, with the names of these; both sorted.
    var measured: [(event: String, names: [String])] {
        Dictionary(grouping: events) { $0.event ?? "" }.sorted { $0.key < $1.key }.compactMap { event, lines in
            let names = Set(lines.flatMap(\.numbers.keys)).subtracting(["step", "seconds"]).sorted()
            return names.isEmpty ? nil : (event, names)
        }
    }

    /// A value of a line. Numbers are tried first: nearly all are.
    private enum Field: Decodable {
        case number(Double), text(String), notFinite, other

        init(from decoder: any Decoder) throws {
            let value = try decoder.singleValueContainer()
            if let number = try? value.decode(Double.self) {
                self = .number(number)
            } else if value.decodeNil() {
                self = .notFinite
            } else if let text = try? value.decode(String.self) {
                self = .text(text)
            } else {
                self = .other
            }
        }

        var number: Double? { if case .number(let number) = self { number } else { nil } }
        var text: String? { if case .text(let text) = self { text } else { nil } }

        /// Nil for what is no number; a number that is not finite is written as null.
        var value: Double?? {
            switch self {
            case .number(let number): .some(.some(number))
            case .notFinite: .some(.none)
            case .text, .other: .none
            }
        }
    }
}
