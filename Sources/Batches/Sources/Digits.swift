import FoundationEssentials
import Kernels
import Platform

/// The handwritten digits that come with the project: 8 × 8 grey values 0 to 16 in one safetensors file.
/// Source: E. Alpaydin, C. Kaynak, "Optical recognition of handwritten digits", UCI repository, CC BY 4.0.
public struct Digits: SampleSource {
    public let name: String
    public let count: Int
    public let classes: [String]? = IDX.digitNames
    public let fingerprint: Fingerprint
    private let pixels, labels: Bytes

    /// Rows are shuffled already: the first 1,400 train, the others test.
    public static let trainingRows = 1_400

    public init(_ path: String, split: Split) throws(DataError) {
        let file = try asDataError { () throws(FileError) in try MappedFile(path).bytes }
        let (header, data) = try Self.split(file, path)
        let (rows, height, width) = try Self.extents(header, path)
        let images = try Self.slice(data, header.images, bytes: rows * height * width, path)
        let labels = try Self.slice(data, header.labels, bytes: rows * 8, path)
        let range = split == .train ? 0..<min(Self.trainingRows, rows) : min(Self.trainingRows, rows)..<rows
        pixels = images[range.lowerBound * Self.size..<range.upperBound * Self.size]
        self.labels = labels[range.lowerBound * 8..<range.upperBound * 8]
        count = range.count
        guard count > 0 else { throw DataError(path, found: "\(rows) rows", expected: "some for \(split.rawValue)") }
        if let wrong = (0..<pixels.count).first(where: { [pixels] in pixels[$0] > 16 }) {
            throw DataError(path, found: "grey value \(pixels[wrong])", expected: "0 to 16")
        }
        let hash = XXHash64.hash(words: [XXHash64.hash(pixels), XXHash64.hash(self.labels)])
        fingerprint = Fingerprint(count: count, classes: 10, hash: hash)
        name = "digits \(split.rawValue)"
        if let wrong = (0..<count).first(where: { [labels = self.labels] in labels[8 * $0] > 9 }) {
            throw DataError(path, found: "label \(self.labels[8 * wrong]) in row \(wrong)", expected: "0 to 9")
        }
    }

    public func storedBytes(_ index: Int) -> Int? { Self.size }

    /// Labels are 64-bit and little-endian; the lowest byte holds them all.
    public func label(_ index: Int) -> Int? { Int(labels[8 * index]) }

    public func read(_ index: Int, into image: inout Image, using memory: inout ReadMemory) throws(SampleError) {
        image.fillGrey(from: pixels[index * Self.size..<(index + 1) * Self.size], height: 8, width: 8) { value in
            UInt8((Int(value) * 255 + 8) / 16)
        }
    }

    private static let size = 64

    private struct Header: Decodable {
        struct Tensor: Decodable {
            let dtype: String
            let shape: [Int]
            let data_offsets: [Int]
        }
        let images, labels: Tensor

        enum CodingKeys: String, CodingKey {
            case images = "input/images"
            case labels = "input/labels"
        }
    }

    private static func split(_ file: Bytes, _ path: String) throws(DataError) -> (Header, Bytes) {
        let wanted = "a safetensors file with input/images and input/labels"
        guard file.count > 8 else { throw DataError(path, found: "\(file.count) bytes", expected: wanted) }
        let length = (0..<8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64(file[$1]) }
        guard length <= UInt64(file.count - 8) else {
            throw DataError(path, found: "a header of \(length) bytes", expected: wanted)
        }
        let end = 8 + Int(length)
        guard let header = try? JSONDecoder().decode(Header.self, from: Data(file[8..<end].array)) else {
            throw DataError(path, found: "another header", expected: wanted)
        }
        return (header, file[end..<file.count])
    }

    private static func extents(_ header: Header, _ path: String) throws(DataError) -> (Int, Int, Int) {
        let (images, labels) = (header.images, header.labels)
        guard images.dtype == "U8", labels.dtype == "I64", images.shape.count == 3, images.shape[1...] == [8, 8],
            labels.shape == [images.shape[0]], (1...1_000_000).contains(images.shape[0])
        else {
            throw DataError(
                path, found: "images \(images.dtype) \(images.shape), labels \(labels.dtype) \(labels.shape)",
                expected: "U8 [n, 8, 8] and I64 [n]")
        }
        return (images.shape[0], 8, 8)
    }

    private static func slice(_ data: Bytes, _ tensor: Header.Tensor, bytes: Int, _ path: String) throws(DataError)
        -> Bytes
    {
        let offsets = tensor.data_offsets
        guard offsets.count == 2, offsets[0] >= 0, offsets[1] <= data.count, offsets[0] <= offsets[1],
            offsets[1] - offsets[0] == bytes
        else { throw DataError(path, found: "data at \(offsets)", expected: "\(bytes) bytes inside \(data.count)") }
        return data[offsets[0]..<offsets[1]]
    }
}
