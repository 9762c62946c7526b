/// A tensor that a model, update rule or average wants from a file.
public struct WantedTensor: Sendable, Equatable {
    public let name: String
    public let shape: [Int]
    /// Integers of any width instead of floats.
    public let isInteger: Bool

    public init(_ name: String, _ shape: [Int], isInteger: Bool = false) {
        self.name = name
        self.shape = shape
        self.isInteger = isInteger
    }
}

extension [StoredTensor] {
    /// The tensors in the order in which they are wanted. One error tells all that is missing, unexpected or of another
    /// shape or type.
    /// - Parameters:
    ///   - place: the file, for the message.
    ///   - mayMiss: patterns of wanted names that the file need not hold: a new head; nil stands for those.
    public func fitted(
        to wanted: [WantedTensor], mayMiss: [String] = [], from place: String
    ) throws(CheckpointError) -> [StoredTensor?] {
        var stored = Dictionary(map { ($0.name, $0) }) { first, _ in first }
        let optional = mayMiss.map(NamePattern.init)
        var missing: [String] = []
        var unfit: [String] = []
        let fitted = wanted.map { tensor -> StoredTensor? in
            guard let found = stored.removeValue(forKey: tensor.name) else {
                if !optional.contains(where: { $0.match(tensor.name) != nil }) { missing.append(tensor.name) }
                return nil
            }
            let fitsKind = tensor.isInteger ? found.kind.isInteger : found.kind.isFloating
            if found.shape != tensor.shape {
                unfit.append("\(tensor.name) \(found.shape), wanted \(tensor.shape)")
            } else if !fitsKind {
                unfit.append(
                    "\(tensor.name) of \(found.kind.rawValue), wanted \(tensor.isInteger ? "integers" : "floats")")
            }
            return found
        }
        let unexpected = stored.keys.sorted()
        guard missing.isEmpty, unexpected.isEmpty, unfit.isEmpty else {
            let faults = [("missing", missing), ("unexpected", unexpected), ("mis-shaped", unfit)]
            throw CheckpointError(
                .mismatched, at: place,
                found: faults.filter { !$0.1.isEmpty }.map(Self.summary).joined(separator: "; "),
                expected: "the \(wanted.count) tensors of the model",
                hint: "a name map can rename or ignore tensors")
        }
        return fitted
    }

    private static func summary(_ kind: String, _ names: [String]) -> String {
        let shown = 20
        let rest = names.count > shown ? " and \(names.count - shown) more" : ""
        return "\(names.count) \(kind): " + names.prefix(shown).map(clipped).joined(separator: ", ") + rest
    }
}
