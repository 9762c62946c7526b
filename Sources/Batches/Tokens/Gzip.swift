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
        let flags = file[3]
        var start = 10
        if flags & 4 != 0 { start += 2 + Int(file[10]) + Int(file[11]) << 8 }
        // A name and a comment, each with a zero at its end.
        for flag: UInt8 in [8, 16] where flags & flag != 0 {
            while start < file.count, file[start] != 0 { start += 1 }
            start += 1
        }
        if flags & 2 != 0 { start += 2 }
        guard start + 8 <= file.count else { throw refuse("a header that is cut short") }
        let end = file[file.count - 8..<file.count]
        let checksum = UInt32(end.littleEndian(0, width: 4)), size = Int(end.littleEndian(1, width: 4))
        // Deflate makes at most 1,032 bytes of one: a size beyond that is damage.
        guard size <= 1032 * (file.count - start) else {
            throw refuse("a length of \(size) bytes", "the file is damaged or cut short")
        }
        let bytes = Bytes(zeros: size)
        do { try Inflate.unpack(file[start..<file.count - 8], into: bytes) } catch {
            throw refuse("a stream that \(error.reason)", "the file is damaged, cut short or has several members")
        }
        var sum = CRC32(.crc32)
        sum.add(bytes)
        guard sum.value == checksum else { throw refuse("another checksum than its own", "the file is damaged") }
        return bytes
    }

    /// Writes the bytes as they are, in stored blocks: ids hardly get smaller.
    public static func write(_ bytes: Bytes, to path: String) throws(FileError) {
        var packed: [UInt8] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255]
        let file = try OutputFile(replacing: path)
        var start = 0
        repeat {
            let end = min(start + 65_535, bytes.count)
            packed.append(end == bytes.count ? 1 : 0)
            let count = UInt16(end - start)
            for value in [count, ~count] { packed += [UInt8(truncatingIfNeeded: value), UInt8(value >> 8)] }
            try file.write(packed)
            try file.write(bytes[start..<end])
            packed = []
            start = end
        } while start < bytes.count
        var sum = CRC32(.crc32)
        sum.add(bytes)
        for value in [sum.value, UInt32(truncatingIfNeeded: bytes.count)] {
            packed += (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * UInt32($0))) }
        }
        try file.write(packed)
        try file.commit()
    }
}
