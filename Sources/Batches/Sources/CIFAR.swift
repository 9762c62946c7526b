import Kernels
import Platform

/// CIFAR-10 and CIFAR-100 in their binary form: records of one or two label bytes and 3 planes of 32 × 32 bytes.
/// Source: A. Krizhevsky, "Learning multiple layers of features from tiny images", 2009.
public struct CIFAR<Variant: CIFARVariant>: DataSource {
    public static var kind: String { Variant.kind }
    public static var similarClasses: SimilarClasses? { Variant.similarClasses }

    public let name: String
    public let count: Int
    public let classes: [String]?
    public let fingerprint: Fingerprint
    private let parts: [Bytes]
    /// Samples before each part.
    private let starts: [Int]

    public init(_ settings: SplitSettings, _ context: SourceContext) throws(DataError) {
        try self.init(folder: settings.path, split: settings.split)
    }

    /// - Parameter folder: holds the unpacked `.bin` and name files.
    public init(folder: String, split: Split) throws(DataError) {
        let classes = try Self.names(folder + "/" + Variant.namesFile)
        var (parts, starts, total) = ([Bytes](), [Int](), 0)
        for file in split == .train ? Variant.trainingFiles : Variant.testFiles {
            let path = folder + "/" + file
            let bytes = try asDataError(hint: hint) { () throws(FileError) in try MappedFile(path).bytes }
            guard bytes.count > 0, bytes.count % Self.recordBytes == 0 else {
                throw DataError(
                    path, found: "\(bytes.count) bytes", expected: "records of \(Self.recordBytes)",
                    hint: "the file is cut short or of another set")
            }
            for record in 0..<bytes.count / Self.recordBytes {
                let label = Int(bytes[record * Self.recordBytes + Variant.labelBytes - 1])
                guard label < classes.count else {
                    throw DataError(
                        path, found: "label \(label) in record \(record)", expected: "0 to \(classes.count - 1)")
                }
            }
            parts.append(bytes)
            starts.append(total)
            total += bytes.count / Self.recordBytes
        }
        (self.parts, self.starts, self.classes, count) = (parts, starts, classes, total)
        name = "\(Variant.name) \(split.rawValue)"
        let hash = XXHash64.hash(words: parts.map { XXHash64.hash($0) })
        fingerprint = Fingerprint(count: total, classes: classes.count, hash: hash)
    }

    public func storedBytes(_ index: Int) -> Int? { 3 * plane }

    /// The class is the last of the label bytes.
    public func label(_ index: Int) -> Int? { Int(record(index)[Variant.labelBytes - 1]) }

    public func read(_ index: Int, into image: inout Image, using memory: inout ReadMemory) throws(SampleError) {
        image.fill(fromPlanes: record(index)[Variant.labelBytes..<Self.recordBytes], height: 32, width: 32)
    }

    private static var recordBytes: Int { Variant.labelBytes + 3 * plane }

    private func record(_ index: Int) -> Bytes {
        precondition(index >= 0 && index < count, "sample outside the set")
        let part = starts.lastIndex { $0 <= index } ?? 0
        let start = (index - starts[part]) * Self.recordBytes
        return parts[part][start..<start + Self.recordBytes]
    }

    private static func names(_ path: String) throws(DataError) -> [String] {
        let bytes = try asDataError(hint: hint) { () throws(FileError) in try MappedFile(path).bytes }
        let lines = String(decoding: bytes.array, as: UTF8.self).split(whereSeparator: \.isNewline).map(String.init)
        guard lines.count == Variant.classCount else {
            throw DataError(path, found: "\(lines.count) class names", expected: "\(Variant.classCount)")
        }
        return lines
    }
}

private let plane = 32 * 32
private let hint = "run the 'prepare' script of the data set's folder in Datasets"

/// The differences between the sets of `CIFAR`.
public protocol CIFARVariant: Sendable {
    static var kind: String { get }
    static var name: String { get }
    static var classCount: Int { get }
    static var labelBytes: Int { get }
    static var trainingFiles: [String] { get }
    static var testFiles: [String] { get }
    static var namesFile: String { get }
    static var similarClasses: SimilarClasses { get }
}

public typealias CIFAR10 = CIFAR<TenClasses>
public typealias CIFAR100 = CIFAR<HundredClasses>

public enum TenClasses: CIFARVariant {
    public static let (kind, name) = ("cifar10", "CIFAR-10")
    public static let (classCount, labelBytes) = (10, 1)
    public static let trainingFiles = (1...5).map { "data_batch_\($0).bin" }
    public static let testFiles = ["test_batch.bin"]
    public static let namesFile = "batches.meta.txt"
    /// Truck to automobile, bird to airplane, cat to dog, dog to cat, deer to horse. Source: arXiv 2007.00151.
    public static let similarClasses = SimilarClasses.flips(
        [(9, 1), (2, 0), (3, 5), (5, 3), (4, 7)].map { ClassFlip(from: $0.0, to: $0.1) })
}

public enum HundredClasses: CIFARVariant {
    public static let (kind, name) = ("cifar100", "CIFAR-100")
    /// A coarse label comes before the fine one, which is the class.
    public static let (classCount, labelBytes) = (100, 2)
    public static let trainingFiles = ["train.bin"]
    public static let testFiles = ["test.bin"]
    public static let namesFile = "fine_label_names.txt"
    /// Blocks of consecutive class numbers, not the coarse classes. Source: arXiv 2007.00151.
    public static let similarClasses = SimilarClasses.blocks(5)
}
