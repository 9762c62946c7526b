/// A piece of a page. Whatever is interpolated into it is escaped, unless it is a piece itself: `"<td>\(name)</td>"` is
/// safe for any `name`. The result is well-formed XML too, so that a test can read it.
struct HTML: ExpressibleByStringInterpolation, Equatable, Sendable {
    private(set) var text: String

    init(stringLiteral value: String) { text = value }
    init(stringInterpolation: StringInterpolation) { text = stringInterpolation.text }

    var isEmpty: Bool { text.isEmpty }

    static func + (left: HTML, right: HTML) -> HTML { "\(left)\(right)" }
    static func += (left: inout HTML, right: HTML) { left.text += right.text }

    struct StringInterpolation: StringInterpolationProtocol {
        fileprivate var text = ""

        init(literalCapacity: Int, interpolationCount: Int) { text.reserveCapacity(2 * literalCapacity) }

        mutating func appendLiteral(_ literal: String) { text += literal }
        mutating func appendInterpolation(_ piece: HTML) { text += piece.text }
        mutating func appendInterpolation(_ pieces: [HTML]) { for piece in pieces { text += piece.text } }
        mutating func appendInterpolation(_ number: Int) { text += String(number) }
        mutating func appendInterpolation(_ value: String) { text += HTML.escaped(value) }
    }

    private static func escaped(_ value: String) -> String {
        var text = ""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "&": text += "&amp;"
            case "<": text += "&lt;"
            case ">": text += "&gt;"
            case "\"": text += "&quot;"
            case "'": text += "&#39;"
            // No page may hold these, escaped or not.
            case "\0"..<"\t", "\u{B}"..<" ", "\u{7F}"..<"\u{A0}", "\u{FFFE}", "\u{FFFF}": text += "\u{FFFD}"
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text
    }
}

/// Rows under a head; columns of numbers end under each other.
struct HTMLTable {
    var head: [HTML]
    var rows: [[HTML]] = []
    /// Columns of numbers.
    var numbers: Set<Int> = []

    /// Empty without rows.
    var html: HTML {
        guard !rows.isEmpty else { return "" }
        let head: HTML = self.head.isEmpty ? "" : "<thead><tr>\(cells(self.head, "th"))</tr></thead>\n"
        let body = rows.map { "<tr>\(cells($0, "td"))</tr>\n" as HTML }
        return "<div class=\"wide\"><table>\n\(head)<tbody>\n\(body)</tbody></table></div>\n"
    }

    private func cells(_ row: [HTML], _ tag: HTML) -> [HTML] {
        row.enumerated().map { column, cell in
            let kind: HTML = numbers.contains(column) ? " class=\"number\"" : ""
            return "<\(tag)\(kind)>\(cell)</\(tag)>"
        }
    }
}
