public import Kernels
public import Platform

/// A gzip file with one member. Source: RFC 1952.
public enum Gzip {
    /// The bytes that a file holds, unpacked and held against their checksum.
    public static func read(_ path: String) throws(DataError) -> Bytes {
        let file = try asDataError { () throws(FileError) in try MappedFile(path).bytes }
        func refuse(_ found: String, _ hint: String = "") -> DataError {
            DataError(path, found: found, expected: "a gzip file", hint: hint)
        }
        guard file.count >= 18, file[0] == 0x1F, file[1] == 0x8B, file[2] == 8 else {
            throw refuse("\(file.count) bytes of another kind")
        }
        let size = Int(file[file.count - 4..<file.count].littleEndian(0, width: 4))
        // Deflate makes at most 1,032 bytes of one: a size beyond that is damage.
        guard size <= 1032 * file.count else {
            throw refuse("a length of \(size) bytes", "the file is damaged or cut short")
        }
        let bytes = Bytes(zeros: size)
        let used: Int
        do throws(UnpackingError) { used = try unpack(file, .gzip, into: bytes) } catch {
            throw refuse("a stream that \(error.reason)", "the file is damaged, cut short or has several members")
        }
        guard used == file.count else {
            throw refuse("\(file.count - used) bytes after its end", "the file is damaged or has several members")
        }
        return bytes
    }

    /// Packs the bytes; the file takes its name when it is whole.
    public static func write(_ bytes: Bytes, to path: String) throws(FileError) {
        let file = try OutputFile(replacing: path)
        try pack(bytes, .gzip) { (piece) throws(FileError) in try file.write(piece) }
        try file.commit()
    }
}
