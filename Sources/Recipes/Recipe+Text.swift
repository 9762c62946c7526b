import Messages

extension Recipe {
    /// The resolved recipe as YAML that reads back to the same; each value's origin is a comment if wanted.
    public func text(showingOrigins: Bool) -> String {
        var lines: [(text: String, origin: String)] = []
        Self.write(resolved, indent: "", into: &lines)
        guard showingOrigins else { return lines.map { $0.text + "\n" }.joined() }
        let width = min(60, lines.map(\.text.count).max() ?? 0)
        return lines.map { line in
            if line.origin.isEmpty { return line.text + "\n" }
            let gap = String(repeating: " ", count: max(0, width - line.text.count) + 2)
            return "\(line.text)\(gap)# \(line.origin)\n"
        }.joined()
    }

    private static func write(_ node: RecipeNode, indent: String, into lines: inout [(text: String, origin: String)]) {
        for entry in node.entries {
            let start = "\(indent)\(scalar(entry.key, isPlain: true)):"
            if case .section(let inner) = entry.value.content, !inner.isEmpty {
                lines.append((start, ""))
                write(entry.value, indent: indent + "  ", into: &lines)
            } else {
                lines.append(("\(start) \(inline(entry.value))", entry.value.place.description))
            }
        }
    }

    /// One line, in flow style where it is a list.
    static func inline(_ node: RecipeNode) -> String {
        switch node.content {
        case .scalar(let text, let isPlain): scalar(text, isPlain: isPlain)
        case .list(let items): "[" + items.map(inline).joined(separator: ", ") + "]"
        case .section(let entries):
            "{" + entries.map { "\(scalar($0.key, isPlain: true)): \(inline($0.value))" }.joined(separator: ", ") + "}"
        }
    }

    /// Plain text stays plain where every YAML reader and every place in a line takes it for itself.
    private static func scalar(_ text: String, isPlain: Bool) -> String {
        let isSafe = text.wholeMatch(of: /[A-Za-z0-9_.\/+\-][A-Za-z0-9_.\/+\- ]*/) != nil
        let isDash = text.hasPrefix("-") && Double(text) == nil
        return isPlain && isSafe && !isDash && !text.hasSuffix(" ") && text != "..." ? text : JSON.quoted(text)
    }
}
