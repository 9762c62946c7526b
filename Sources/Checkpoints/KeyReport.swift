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

    /// The first names of a list, whatever a hostile file calls its tensors.
    public static func text(_ names: [String], atMost shown: Int = 20) -> String {
        let rest = names.count > shown ? " and \(names.count - shown) more" : ""
        return names.prefix(shown).map(clipped).joined(separator: ", ") + rest
    }
}
