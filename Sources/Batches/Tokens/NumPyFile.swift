public import Kernels

/// Arrays in NumPy's own format, version 1 and 2. Source: numpy.lib.format.
public enum NumPyFile {
    /// The integers of a file with one row of them.
    /// - Parameter path: for messages.
    public static func integers(_ bytes: Bytes, path: String) throws(DataError) -> [Int] {
        let (data, type, shape) = try contents(bytes, path)
        let widths = ["|u1": 1, "<u2": 2, "<i4": 4, "<u4": 4, "<i8": 8, "<u8": 8]
        guard let width = widths[type], shape.count == 1, data.count == shape[0] * width else {
            throw DataError(
                path, found: "an array of '\(type)' \(shape) in \(data.count) bytes",
                expected: "a row of little-endian integers")
        }
        return (0..<shape[0]).map { index in
            let word = data.littleEndian(index, width: width)
            return type == "<i4" ? Int(Int32(truncatingIfNeeded: word)) : Int(truncatingIfNeeded: word)
        }
    }

    /// The rows of a table of floats, (K, D).
    public static func rows(_ bytes: Bytes, path: String) throws(DataError) -> (floats: Floats, width: Int) {
        let (data, type, shape) = try contents(bytes, path)
        guard type == "<f4", shape.count == 2, shape[0] > 0, shape[1] > 0, data.count == shape[0] * shape[1] * 4 else {
            throw DataError(
                path, found: "an array of '\(type)' \(shape) in \(data.count) bytes", expected: "a table of float32")
        }
        let floats = Floats(zeros: shape[0] * shape[1])
        floats.viewed(as: UInt8.self).copy(from: data)
        return (floats, shape[1])
    }

    /// A file of an array. `type` is NumPy's name of the elements, such as `<i8`.
    public static func file(_ type: String, _ shape: [Int], _ data: Bytes) -> Bytes {
        let extents = shape.map(String.init).joined(separator: ", ") + (shape.count == 1 ? "," : "")
        var text = "{'descr': '\(type)', 'fortran_order': False, 'shape': (\(extents)), }"
        let total = (magic.count + 4 + text.utf8.count + 1 + 63) / 64 * 64
        text += String(repeating: " ", count: total - magic.count - 4 - text.utf8.count - 1) + "\n"
        let count = text.utf8.count
        let header = magic + [1, 0, UInt8(count & 255), UInt8(count >> 8)] + Array(text.utf8)
        let file = Bytes(zeros: header.count + data.count)
        file[0..<header.count].copy(from: header)
        file[header.count..<file.count].copy(from: data)
        return file
    }

    private static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)

    private static func contents(
        _ bytes: Bytes, _ path: String
    ) throws(DataError) -> (data: Bytes, type: String, shape: [Int]) {
        func refuse() -> DataError { DataError(path, found: "another header", expected: "an array that NumPy saved") }
        guard bytes.count > 12, bytes[0..<6].array == magic, (1...2).contains(bytes[6]) else { throw refuse() }
        let width = bytes[6] == 1 ? 2 : 4
        let length = (0..<width).reduce(0) { $0 | Int(bytes[8 + $1]) << (8 * $1) }
        guard 8 + width + length <= bytes.count else { throw refuse() }
        let header = String(decoding: bytes[8 + width..<8 + width + length].array, as: UTF8.self)
        guard header.contains("'fortran_order': False") || !header.contains("'fortran_order': True"),
            let type = between(header, "'descr': '", "'"), let extents = between(header, "'shape': (", ")")
        else { throw refuse() }
        let shape = extents.split(separator: ",").compactMap { Int($0.filter { $0 != " " }) }
        guard shape.allSatisfy({ $0 >= 0 && $0 <= bytes.count }) else { throw refuse() }
        return (bytes[8 + width + length..<bytes.count], type, shape)
    }

    private static func between(_ text: String, _ start: String, _ end: Character) -> String? {
        guard let found = text.firstRange(of: start) else { return nil }
        let rest = text[found.upperBound...]
        return rest.firstIndex(of: end).map { String(rest[..<$0]) }
    }
}
