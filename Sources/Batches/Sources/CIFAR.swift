import Kernels
import Platform

/// CIFAR-10 and CIFAR-100 in their binary form: records of one or two label bytes and 3 planes of 32 × 32 bytes.
/// Source: A. Krizhevsky, "Learning multiple layers of features from tiny images", 2009.
public struct CIFAR: SampleSource {
    public enum Variant: String, Sendable {
        case ten = "CIFAR-10"
        case hundred = "CIFAR-100"
    }

    public let name: String
    public let count: Int
    public let classes: [String]?
    public let fingerprint: Fingerprint
    private let parts: [Bytes]
    /// Samples before each part.
    private let starts: [Int]
    private let recordBytes: Int

    /// - Parameter folder: holds the unpacked `.bin` and name files.
    public init(_ variant: Variant, folder: String, split: Split) throws(DataError) {
        let (files, names, labelBytes) = Self.layout(variant, split)
        recordBytes = labelBytes + 3 * Self.plane
        let classes = try Self.names(folder + "/" + names, count: variant == .ten ? 10 : 100)
        var (parts, starts, total) = ([Bytes](), [Int](), 0)
        for file in files {
            let path = folder + "/" + file
            let bytes = try asDataError(hint: Self.hint) { () throws(FileError) in try MappedFile(path).bytes }
            guard bytes.count > 0, bytes.count % recordBytes == 0 else {
                throw DataError(
                    path, found: "\(bytes.count) bytes", expected: "records of \(recordBytes)",
                    hint: "the file is cut short or of another set")
            }
            for record in 0..<bytes.count / recordBytes {
                let label = Int(bytes[record * recordBytes + labelBytes - 1])
                guard label < classes.count else {
                    throw DataError(
                        path, found: "label \(label) in record \(record)", expected: "0 to \(classes.count - 1)")
                }
            }
            parts.append(bytes)
            starts.append(total)
            total += bytes.count / recordBytes
        }
        self.parts = parts
        self.starts = starts
        self.classes = classes
        name = "\(variant.rawValue) \(split.rawValue)"
        count = total
        let hash = XXHash64.hash(words: parts.map { XXHash64.hash($0) })
        fingerprint = Fingerprint(count: total, classes: classes.count, hash: hash)
    }

    public func storedBytes(_ index: Int) -> Int? { 3 * Self.plane }

    public func label(_ index: Int) -> Int? {
        let record = record(index)
        return Int(record[record.count - 3 * Self.plane - 1])
    }

    public func read(_ index: Int, into image: inout Image, using memory: inout ReadMemory) throws(SampleError) {
        let record = record(index)
        image.fill(fromPlanes: record[record.count - 3 * Self.plane..<record.count], height: 32, width: 32)
    }

    private static let plane = 32 * 32
    private static let hint = "run the 'prepare' script of the data set's folder in Datasets"

    private func record(_ index: Int) -> Bytes {
        precondition(index >= 0 && index < count, "sample outside the set")
        let part = starts.lastIndex { $0 <= index } ?? 0
        let start = (index - starts[part]) * recordBytes
        return parts[part][start..<start + recordBytes]
    }

    private static func layout(_ variant: Variant, _ split: Split) -> (files: [String], names: String, labels: Int) {
        switch (variant, split) {
        case (.ten, .train): ((1...5).map { "data_batch_\($0).bin" }, "batches.meta.txt", 1)
        case (.ten, .test): (["test_batch.bin"], "batches.meta.txt", 1)
        // A coarse label comes before the fine one, which is the class.
        case (.hundred, .train): (["train.bin"], "fine_label_names.txt", 2)
        case (.hundred, .test): (["test.bin"], "fine_label_names.txt", 2)
        }
    }

    private static func names(_ path: String, count: Int) throws(DataError) -> [String] {
        let bytes = try asDataError(hint: hint) { () throws(FileError) in try MappedFile(path).bytes }
        let lines = String(decoding: bytes.array, as: UTF8.self).split(whereSeparator: \.isNewline).map(String.init)
        guard lines.count == count else {
            throw DataError(path, found: "\(lines.count) class names", expected: "\(count)")
        }
        return lines
    }
}
