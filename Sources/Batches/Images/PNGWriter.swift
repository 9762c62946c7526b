import Kernels
import Platform

extension Image {
    /// The image as a PNG file: 8-bit RGB.
    public borrowing func png() -> [UInt8] {
        let rowBytes = width * 3
        let raw = Bytes(zeros: height * (rowBytes + 1))
        for y in 0..<height {
            filter(y, into: raw[y * (rowBytes + 1)..<(y + 1) * (rowBytes + 1)])
        }
        var file = pngSignature
        // 8 bits per channel, colour, then the only compression and filter method, not interlaced.
        append("IHDR", bigEndian(width) + bigEndian(height) + [8, 2, 0, 0, 0], to: &file)
        append("IDAT", FixedDeflate(raw).stream, to: &file)
        append("IEND", [], to: &file)
        return file
    }

    /// Writes row `y` as differences to its left or upper neighbours, whichever are smaller, after the filter's number.
    private borrowing func filter(_ y: Int, into row: Bytes) {
        let rowBytes = width * 3
        let bytes = bytes
        func left(_ x: Int) -> UInt8 { bytes[y * rowBytes + x] &- (x < 3 ? 0 : bytes[y * rowBytes + x - 3]) }
        func up(_ x: Int) -> UInt8 { bytes[y * rowBytes + x] &- (y == 0 ? 0 : bytes[(y - 1) * rowBytes + x]) }
        var (toLeft, toUpper) = (0, 0)
        for x in 0..<rowBytes {
            toLeft += Int(Int8(bitPattern: left(x)).magnitude)
            toUpper += Int(Int8(bitPattern: up(x)).magnitude)
        }
        row[0] = toUpper < toLeft ? 2 : 1
        for x in 0..<rowBytes { row[1 + x] = toUpper < toLeft ? up(x) : left(x) }
    }
}

let pngSignature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 13, 10, 26, 10]

private func bigEndian(_ value: Int) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) }
}

private func append(_ kind: String, _ content: [UInt8], to file: inout [UInt8]) {
    var checksum = CRC32(.crc32)
    checksum.add(Array(kind.utf8))
    checksum.add(content)
    file += bigEndian(content.count) + Array(kind.utf8) + content + bigEndian(Int(checksum.value))
}
