import FoundationEssentials
import Kernels
import Platform

/// The tensors of a safetensors file that holds a data set: mapped, found by name, checked against what is wanted.
/// Source: github.com/huggingface/safetensors, README "Format".
struct TensorFile {
    let path: String
    let metadata: [String: String]
    private let entries: [String: Entry]
    private let data: Bytes

    private struct Entry: Decodable {
        let dtype: String
        let shape: [Int]
        let data_offsets: [Int]
    }

    private struct Header: Decodable {
        var metadata: [String: String] = [:]
        var entries: [String: Entry] = [:]

        struct Name: CodingKey {
            let stringValue: String
            var intValue: Int? { nil }
            init?(stringValue: String) { self.stringValue = stringValue }
            init?(intValue: Int) { nil }
        }

        init(from decoder: any Decoder) throws {
            let table = try decoder.container(keyedBy: Name.self)
            for name in table.allKeys {
                if name.stringValue == "__metadata__" {
                    metadata = try table.decode([String: String].self, forKey: name)
                } else {
                    entries[name.stringValue] = try table.decode(Entry.self, forKey: name)
                }
            }
        }
    }

    /// - Parameter wanted: what the file should hold, for messages.
    init(_ path: String, wanted: String) throws(DataError) {
        let file = try asDataError { () throws(FileError) in try MappedFile(path).bytes }
        guard file.count > 8 else { throw DataError(path, found: "\(file.count) bytes", expected: wanted) }
        let length = (0..<8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64(file[$1]) }
        guard length <= UInt64(file.count - 8), length <= 64 << 20 else {
            throw DataError(
                path, found: "a header of \(length) bytes in a file of \(file.count)", expected: wanted,
                hint: "the file is another one or cut short")
        }
        let end = 8 + Int(length)
        guard let header = try? JSONDecoder().decode(Header.self, from: Data(file[8..<end].array)) else {
            throw DataError(path, found: "another header", expected: wanted)
        }
        (self.path, metadata, entries, data) = (path, header.metadata, header.entries, file[end..<file.count])
    }

    func contains(_ name: String) -> Bool { entries[name] != nil }

    /// The extents of a tensor that must be there, of one element type.
    func shape(of name: String, _ type: ElementType) throws(DataError) -> [Int] {
        guard let entry = entries[name] else {
            throw DataError(path, found: "no tensor '\(name)'", expected: "one of \(entries.count) others")
        }
        guard entry.dtype == type.rawValue else {
            throw DataError(path, found: "'\(name)' of type \(entry.dtype)", expected: type.rawValue)
        }
        return entry.shape
    }

    /// The bytes of a tensor of this shape.
    func bytes(of name: String, _ type: ElementType, _ shape: [Int]) throws(DataError) -> Bytes {
        let found = try self.shape(of: name, type)
        guard found == shape, let entry = entries[name] else {
            throw DataError(path, found: "'\(name)' of shape \(found)", expected: "\(shape)")
        }
        let size = shape.reduce((type.bytes, false)) { product, extent in
            let (next, overflows) = product.0.multipliedReportingOverflow(by: extent)
            return (next, product.1 || overflows || extent < 0)
        }
        let offsets = entry.data_offsets
        guard offsets.count == 2, !size.1, offsets[0] >= 0, offsets[0] <= offsets[1],
            offsets[1] - offsets[0] == size.0
        else { throw DataError(path, found: "'\(name)' at \(offsets)", expected: "\(size.0) bytes") }
        guard offsets[1] <= data.count else {
            throw DataError(
                path, found: "\(data.count) bytes of data", expected: "at least \(offsets[1]), the end of '\(name)'",
                hint: "the file is cut short; get or make it again")
        }
        return data[offsets[0]..<offsets[1]]
    }

    /// The element types that data sets use.
    enum ElementType: String {
        case u8 = "U8"
        case i32 = "I32"
        case u32 = "U32"
        case f32 = "F32"
        case i64 = "I64"

        var bytes: Int {
            switch self {
            case .u8: 1
            case .i32, .u32, .f32: 4
            case .i64: 8
            }
        }
    }
}

extension Buffer<UInt8> {
    /// The element at `index` of little-endian integers of `width` bytes, wherever they lie.
    func littleEndian(_ index: Int, width: Int) -> UInt64 {
        (0..<width).reduce(UInt64(0)) { $0 | UInt64(self[index * width + $1]) << UInt64(8 * $1) }
    }
}
