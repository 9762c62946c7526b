import Batches
public import Checkpoints
public import Kernels
import Objectives
import Platform
import Training

/// The features of a set of images, one row each.
public struct Features: Sendable {
    /// Name of the set.
    public let name: String
    /// (N, F), row-major.
    public let values: Floats
    /// F.
    public let width: Int
    /// Pieces that the columns are made of.
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

    /// One line for people and evaluation cards: `blocks.3 mean`, `blocks.2 mean + blocks.3 mean`.
    public var description: String { pieces.map(\.name).joined(separator: " + ") }

    /// The row numbers whose label is known.
    var labelled: [Int] { labels.indices.filter { labels[$0] >= 0 } }
}

/// A table of row numbers.
func table(_ rows: some Sequence<Int>) -> Indices { Indices(rows.map { Int32($0) }) }

/// Features on disk, one file for each set, encoder and way to cut images: computed once, read ever after. A file that
/// cannot be read or written costs time and a warning, nothing else.
public struct FeatureCache {
    /// All that the numbers depend on, as text.
    struct Key: Equatable {
        let text: String
        let name: String

        init(_ extractor: FeatureExtractor, _ source: any SampleSource) {
            text = [
                "weights \(String(extractor.weightsHash, radix: 16))", "data \(source.fingerprint)",
                extractor.recipe.evaluationCut, "features \(extractor.pieces.map(\.name))",
            ].joined(separator: "; ")
            name = String(XXHash64.hash(text), radix: 16) + ".safetensors"
        }
    }

    private let folder: Folder
    private let warn: (String) -> Void

    /// - Parameters:
    ///   - folder: `features` of a run folder; made when it is needed.
    ///   - warn: told of files that cannot be used.
    public init(_ folder: String, warn: @escaping (String) -> Void) {
        self.folder = Folder(folder)
        self.warn = warn
    }

    func features(_ key: Key, pieces: [FeaturePiece], _ source: any SampleSource) -> Features? {
        let path = folder.path(of: key.name)
        guard FileStatus(path) != nil else { return nil }
        do {
            let file = try Safetensors(path)
            guard file.metadata["key"] == key.text else { return nil }
            let (values, labels) = (try file.tensor("features"), try file.tensor("labels"))
            guard file.metadata["checksum"] == Self.checksum(values.bytes) else {
                throw CheckpointError(.corrupt, at: path, found: "other bytes than were written")
            }
            let floats = Floats(zeros: values.count)
            try values.copy(into: floats)
            return Features(
                name: source.name, values: floats, pieces: pieces, labels: labels.integers,
                samples: try file.tensor("samples").integers, classes: source.classes ?? [])
        } catch {
            warn("features are computed again: \(error)")
            return nil
        }
    }

    func keep(_ features: Features, _ key: Key) {
        do {
            try folder.create()
            let tensors = features.tensors
            try Safetensors.write(
                tensors, metadata: ["key": key.text, "checksum": Self.checksum(tensors[0].bytes)],
                to: folder.path(of: key.name))
        } catch { warn("features are not kept: \(error)") }
    }

    private static func checksum(_ bytes: Bytes) -> String { String(XXHash64.hash(bytes), radix: 16) }
}

extension Features {
    /// `features` (N, F), `labels` (N) and `samples` (N).
    public var tensors: [StoredTensor] {
        [
            StoredTensor("features", [count, width], values), StoredTensor("labels", [count], integers: labels),
            StoredTensor("samples", [count], integers: samples),
        ]
    }
}
