/// A dotted name in which `*` stands for one part and `**` for any number of parts, none included.
package struct NamePattern: Sendable, Equatable {
    let parts: [Substring]

    package init(_ text: String) { parts = text.split(separator: ".", omittingEmptySubsequences: false) }

    var wildcards: Int { parts.count { $0 == "*" || $0 == "**" } }

    /// What the wildcards stand for, in order; nil where the name does not fit.
    package func match(_ name: String) -> [[Substring]]? {
        Self.match(parts[...], name.split(separator: ".", omittingEmptySubsequences: false)[...])
    }

    /// The name with the wildcards replaced, in order.
    func filled(_ captures: [[Substring]]) -> String {
        var captures = captures[...]
        return parts.flatMap { $0 == "*" || $0 == "**" ? captures.popFirst() ?? [] : [$0] }.joined(separator: ".")
    }

    private static func match(_ pattern: ArraySlice<Substring>, _ name: ArraySlice<Substring>) -> [[Substring]]? {
        guard let first = pattern.first else { return name.isEmpty ? [] : nil }
        let rest = pattern.dropFirst()
        switch first {
        case "**":
            for count in 0...name.count {
                if let tail = match(rest, name.dropFirst(count)) { return [Array(name.prefix(count))] + tail }
            }
            return nil
        case "*":
            guard let part = name.first, let tail = match(rest, name.dropFirst()) else { return nil }
            return [[part]] + tail
        default:
            guard name.first == first else { return nil }
            return match(rest, name.dropFirst())
        }
    }
}
