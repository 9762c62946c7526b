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
        let report = KeyReport(self, for: wanted)
        let optional = mayMiss.map(NamePattern.init)
        let missing = report.missing.filter { name in !optional.contains { $0.match(name) != nil } }
        let faults = [
            ("missing", missing), ("unexpected", report.unexpected),
            ("mis-shaped", report.misshaped.map(\.description)),
        ].filter { !$0.1.isEmpty }
        guard faults.isEmpty else {
            throw CheckpointError(
                .mismatched, at: place,
                found: faults.map { "\($1.count) \($0): \(KeyReport.text($1))" }.joined(separator: "; "),
                expected: "the \(wanted.count) tensors of the model",
                hint: "a name map can rename or ignore tensors")
        }
        let stored = Dictionary(map { ($0.name, $0) }) { first, _ in first }
        return wanted.map { stored[$0.name] }
    }
}
