/// How the tensors of a file fit those that a model wants, name by name.
public struct KeyReport: Sendable, Equatable {
    /// A tensor that has the name of a wanted one and not its shape or type.
    public struct Misfit: Sendable, Equatable, CustomStringConvertible {
        public let name: String
        public let found: String
        public let wanted: String

        public var description: String { "\(name) \(found), wanted \(wanted)" }
    }

    /// In the order in which they are wanted, like `missing` and `misshaped`.
    public let matched: [String]
    /// Wanted, but not in the file.
    public let missing: [String]
    /// In the file, but not wanted; sorted.
    public let unexpected: [String]
    public let misshaped: [Misfit]

    public init(_ stored: [StoredTensor], for wanted: [WantedTensor]) {
        var left = Dictionary(stored.map { ($0.name, $0) }) { first, _ in first }
        var (matched, missing): ([String], [String]) = ([], [])
        var misshaped: [Misfit] = []
        for tensor in wanted {
            guard let found = left.removeValue(forKey: tensor.name) else {
                missing.append(tensor.name)
                continue
            }
            let fitsKind = tensor.isInteger ? found.kind.isInteger : found.kind.isFloating
            if found.shape != tensor.shape {
                misshaped.append(Misfit(name: tensor.name, found: "\(found.shape)", wanted: "\(tensor.shape)"))
            } else if !fitsKind {
                let wanted = tensor.isInteger ? "integers" : "floats"
                misshaped.append(Misfit(name: tensor.name, found: "of \(found.kind.rawValue)", wanted: wanted))
            } else {
                matched.append(tensor.name)
            }
        }
        (self.matched, self.missing, self.misshaped) = (matched, missing, misshaped)
        unexpected = left.keys.sorted()
    }

    /// A list of names in one line. Those that differ in numbers alone are one entry, `blocks.*.norm1.bias (12)`; what a
    /// hostile file calls its tensors is cut.
    public static func text(_ names: [String], atMost shown: Int = 20) -> String {
        var (order, groups): ([String], [String: [String]]) = ([], [:])
        for name in names {
            let parts = name.split(separator: ".", omittingEmptySubsequences: false)
            let form = parts.map { Int($0) == nil ? $0 : "*" }.joined(separator: ".")
            if groups[form] == nil { order.append(form) }
            groups[form, default: []].append(name)
        }
        let entries = order.prefix(shown).map { form in
            let group = groups[form] ?? []
            return group.count == 1 ? clipped(group[0]) : "\(clipped(form)) (\(group.count))"
        }
        let rest = names.count - order.prefix(shown).reduce(0) { $0 + (groups[$1]?.count ?? 0) }
        return entries.joined(separator: ", ") + (rest > 0 ? " and \(rest) more" : "")
    }
}
