import Kernels
import Platform

/// The handwritten digits that come with the project: 8 × 8 grey values 0 to 16 in one safetensors file.
/// Source: E. Alpaydin, C. Kaynak, "Optical recognition of handwritten digits", UCI repository, CC BY 4.0.
public struct Digits: DataSource {
    public static let kind = "digits"
    /// Rows are shuffled already: so many first ones train, the others test.
    private static let trainingRows = 1_400
    private static let size = 64

    public let name: String
    public let count: Int
    public let classes: [String]? = IDX.digitNames
    public let fingerprint: Fingerprint
    private let pixels, labels: Bytes

    public init(_ settings: SplitSettings, _ context: SourceContext) throws(DataError) {
        try self.init(settings.path, split: settings.split)
    }

    public init(_ path: String, split: Split) throws(DataError) {
        let file = try TensorFile(path, wanted: "a safetensors file with input/images and input/labels")
        let rows = try file.shape(of: "input/images", .u8).first ?? 0
        let images = try file.bytes(of: "input/images", .u8, [rows, 8, 8])
        let numbers = try file.bytes(of: "input/labels", .i64, [rows])
        let range = split == .train ? 0..<min(Self.trainingRows, rows) : min(Self.trainingRows, rows)..<rows
        let pixels = images[range.lowerBound * Self.size..<range.upperBound * Self.size]
        let labels = numbers[range.lowerBound * 8..<range.upperBound * 8]
        guard !range.isEmpty else {
            throw DataError(path, found: "\(rows) rows", expected: "some for \(split.rawValue)")
        }
        if let wrong = (0..<pixels.count).first(where: { pixels[$0] > 16 }) {
            throw DataError(path, found: "grey value \(pixels[wrong])", expected: "0 to 16")
        }
        if let wrong = range.indices.first(where: { numbers.littleEndian($0, width: 8) > 9 }) {
            let label = numbers.littleEndian(wrong, width: 8)
            throw DataError(path, found: "label \(label) in row \(wrong)", expected: "0 to 9")
        }
        (self.pixels, self.labels, count) = (pixels, labels, range.count)
        let hash = XXHash64.hash(words: [XXHash64.hash(pixels), XXHash64.hash(labels)])
        fingerprint = Fingerprint(count: range.count, classes: 10, hash: hash)
        name = "digits \(split.rawValue)"
    }

    public func storedBytes(_ index: Int) -> Int? { Self.size }
    public func label(_ index: Int) -> Int? { Int(labels.littleEndian(index, width: 8)) }

    public func read(_ index: Int, into image: inout Image, using memory: inout ReadMemory) throws(SampleError) {
        image.fillGrey(from: pixels[index * Self.size..<(index + 1) * Self.size], height: 8, width: 8) { value in
            UInt8((Int(value) * 255 + 8) / 16)
        }
    }
}
