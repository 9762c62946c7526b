/// A key that two resolved recipes give different values.
public struct Change: Sendable, Equatable, CustomStringConvertible {
    public let path: String
    /// As written in the other recipe; nil where it lacks the key.
    public let before: String?
    /// As written in this recipe; nil where it lacks the key.
    public let after: String?
    /// True if a run may go on under the new value: it touches neither the weights nor their history.
    public let isSafe: Bool
    /// Where this recipe gives the value, if it does.
    public let place: Place?

    public var description: String {
        let place = place.map { "\($0): " } ?? ""
        return "\(place)\(path): \(before ?? "absent") -> \(after ?? "absent")"
    }
}

extension Recipe {
    /// Keys that change what is written about a run or how fast it goes, never its numbers.
    public static let safeKeys: Set = [
        "about", "reference", "log", "checkpoint", "threads", "recompute", "loader", "limits",
    ]

    /// What differs from the recipe a run was started with, in the order of the keys.
    public func changes(from other: Recipe) -> [Change] {
        let before = other.leaves
        let after = leaves
        let old = Dictionary(before.map { ($0.path, $0) }) { first, _ in first }
        let new = Dictionary(after.map { ($0.path, $0) }) { first, _ in first }
        let paths = after.map(\.path) + before.map(\.path).filter { new[$0] == nil }
        return paths.compactMap { path in
            guard old[path]?.value != new[path]?.value else { return nil }
            return Change(
                path: path, before: old[path]?.text, after: new[path]?.text, isSafe: Self.isSafe(path),
                place: new[path]?.place)
        }
    }

    /// Every key with its value, free of spelling, as a checkpoint keeps it.
    public var keys: [String: String] { Dictionary(leaves.map { ($0.path, $0.value) }) { first, _ in first } }

    private static func isSafe(_ path: String) -> Bool { safeKeys.contains(String(path.prefix { $0 != "." })) }

    private struct Leaf {
        let path: String
        /// As written.
        let text: String
        /// Without the spelling: `1e-4` and `0.0001` are one value.
        let value: String
        let place: Place
    }

    private var leaves: [Leaf] { Self.leaves(of: resolved, at: "") }

    private static func leaves(of node: RecipeNode, at path: String) -> [Leaf] {
        if case .section(let entries) = node.content, !entries.isEmpty {
            return entries.flatMap { leaves(of: $0.value, at: path.appending(key: $0.key)) }
        }
        return [Leaf(path: path, text: inline(node), value: meaning(of: node), place: node.place)]
    }

    private static func meaning(of node: RecipeNode) -> String {
        switch node.content {
        case .scalar(let text, let isPlain):
            // Whole numbers keep their digits: a 64-bit seed does not fit a Double.
            guard isPlain, let number = PlainNumber(text), !number.isWhole, let value = Double(number.swiftText) else {
                return text
            }
            return value.rounded() == value && abs(value) < 1e15 ? String(Int(value)) : "\(value)"
        case .list(let items): return "[" + items.map(meaning).joined(separator: ",") + "]"
        case .section(let entries):
            return "{" + entries.map { "\($0.key):\(meaning(of: $0.value))" }.joined(separator: ",") + "}"
        }
    }
}
