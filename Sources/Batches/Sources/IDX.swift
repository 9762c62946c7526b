import Kernels
import Platform

/// Images and labels in the IDX format of MNIST and Fashion-MNIST: a big-endian header, then bytes.
/// Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database", file formats.
public struct IDX: DataSource {
    public static let kind = "idx"

    public let name: String
    public let count: Int
    public let classes: [String]?
    public let fingerprint: Fingerprint
    private let pixels, labels: Bytes
    private let height, width: Int
    static let digitNames = (0..<10).map(String.init)

    /// The four files of a folder carry fixed names.
    public init(_ settings: SplitSettings, _ context: SourceContext) throws(DataError) {
        let stem = "\(settings.path)/\(settings.split == .train ? "train" : "t10k")"
        try self.init(
            images: "\(stem)-images-idx3-ubyte", labels: "\(stem)-labels-idx1-ubyte",
            name: "\(settings.path) \(settings.split.rawValue)", classes: Self.digitNames)
    }

    public init(images: String, labels: String, name: String, classes: [String]) throws(DataError) {
        let (imageExtents, pixels) = try Self.read(images, kind: "images", magic: 0x803)
        let (labelExtents, labelBytes) = try Self.read(labels, kind: "labels", magic: 0x801)
        (count, height, width) = (imageExtents[0], imageExtents[1], imageExtents[2])
        guard labelExtents[0] == count else {
            throw DataError(
                labels, found: "\(labelExtents[0]) labels", expected: "\(count), one for each image of \(images)")
        }
        guard count > 0, height > 0, width > 0 else {
            throw DataError(images, found: "no images (\(count) of \(height) × \(width))")
        }
        if let wrong = (0..<count).first(where: { Int(labelBytes[$0]) >= classes.count }) {
            throw DataError(
                labels, found: "label \(labelBytes[wrong]) at sample \(wrong)",
                expected: "0 to \(classes.count - 1)")
        }
        self.name = name
        self.classes = classes
        self.pixels = pixels
        self.labels = labelBytes
        let hash = XXHash64.hash(words: [
            UInt64(height), UInt64(width), XXHash64.hash(pixels), XXHash64.hash(labelBytes),
        ])
        fingerprint = Fingerprint(count: count, classes: classes.count, hash: hash)
    }

    public func label(_ index: Int) -> Int? { Int(labels[index]) }
    public func storedBytes(_ index: Int) -> Int? { height * width }

    public func read(_ index: Int, into image: inout Image, using memory: inout ReadMemory) throws(SampleError) {
        let size = height * width
        image.fillGrey(from: pixels[index * size..<(index + 1) * size], height: height, width: width)
    }

    /// The extents and the bytes after the header.
    private static func read(_ path: String, kind: String, magic: Int) throws(DataError) -> ([Int], Bytes) {
        let unpack = "the files are still packed: run the 'prepare' script of the data set's folder in Datasets"
        if path.hasSuffix(".gz") { throw DataError(path, found: "a gzip file", expected: "IDX \(kind)", hint: unpack) }
        let isPacked = (try? MappedFile(path + ".gz")) != nil
        let hint = isPacked ? unpack : "run the 'prepare' script of the data set's folder in Datasets"
        let bytes = try asDataError(hint: hint) { () throws(FileError) in try MappedFile(path).bytes }
        if bytes.count >= 2, bytes[0] == 0x1F, bytes[1] == 0x8B {
            throw DataError(path, found: "gzip data", expected: "IDX \(kind)", hint: unpack)
        }
        let header = 4 + 4 * (magic & 0xFF)
        guard bytes.count >= header else {
            throw DataError(path, found: "\(bytes.count) bytes", expected: "a header of \(header)")
        }
        let words = (0..<header / 4).map { word in (0..<4).reduce(0) { $0 << 8 | Int(bytes[4 * word + $1]) } }
        guard words[0] == magic else {
            throw DataError(
                path, found: "magic number 0x\(String(words[0], radix: 16))",
                expected: "0x\(String(magic, radix: 16)) (IDX \(kind))")
        }
        let extents = Array(words.dropFirst())
        let size = extents.reduce((1, false)) { product, extent in
            let (next, overflows) = product.0.multipliedReportingOverflow(by: extent)
            return (next, product.1 || overflows)
        }
        guard !size.1, size.0 == bytes.count - header else {
            throw DataError(
                path, found: "\(bytes.count - header) bytes after the header",
                expected: extents.map(String.init).joined(separator: " × "),
                hint: "the file is cut short or damaged; get it again")
        }
        return (extents, bytes[header..<bytes.count])
    }
}
