public import Kernels

/// The features of a set of images, one row each.
public struct Features: Sendable {
    /// Of the set.
    public let name: String
    /// (N, F), row-major.
    public let values: Floats
    /// F.
    public let width: Int
    /// What the columns are.
    public let pieces: [FeaturePiece]
    /// (N), -1 without a label.
    public let labels: [Int]
    /// (N), the number of each row's sample in its set. Samples that could not be read have no row.
    public let samples: [Int]
    /// Names of the classes; empty without labels.
    public let classes: [String]

    public init(
        name: String, values: Floats, pieces: [FeaturePiece], labels: [Int], samples: [Int], classes: [String]
    ) {
        width = pieces.last?.columns.upperBound ?? 0
        precondition(values.count == labels.count * width && labels.count == samples.count, "one row for each sample")
        (self.name, self.values, self.pieces) = (name, values, pieces)
        (self.labels, self.samples, self.classes) = (labels, samples, classes)
    }

    /// N.
    public var count: Int { labels.count }

    /// One line for people and protocol cards: `blocks.3 mean`, `blocks.2 mean + blocks.3 mean`.
    public var description: String { pieces.map(\.name).joined(separator: " + ") }

    /// The row numbers whose label is known.
    var labelled: [Int] { labels.indices.filter { labels[$0] >= 0 } }
}

/// A table of row numbers.
func table(_ rows: some Sequence<Int>) -> Indices { Indices(rows.map { Int32($0) }) }
