import Kernels

extension Image {
    /// The picture as a PNG file: 8-bit RGB, not compressed, so that no compressor is needed.
    public borrowing func png() -> [UInt8] {
        let rowBytes = width * 3
        let raw = Bytes(zeros: height * (rowBytes + 1))
        for y in 0..<height {
            let start = y * (rowBytes + 1) + 1
            raw[start..<start + rowBytes].copy(from: bytes[y * rowBytes..<(y + 1) * rowBytes])
        }
        var file = pngSignature
        // 8 bits per channel, colour, then the only compression and filter method, not interlaced.
        append("IHDR", bigEndian(width) + bigEndian(height) + [8, 2, 0, 0, 0], to: &file)
        append("IDAT", stored(raw), to: &file)
        append("IEND", [], to: &file)
        return file
    }
}

let pngSignature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 13, 10, 26, 10]

private func bigEndian(_ value: Int) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) }
}

private func append(_ kind: String, _ content: [UInt8], to file: inout [UInt8]) {
    var checksum = CyclicChecksum()
    checksum.add(kind.utf8)
    checksum.add(content)
    file += bigEndian(content.count) + Array(kind.utf8) + content + bigEndian(Int(checksum.value))
}

/// A zlib stream of stored blocks.
private func stored(_ raw: Bytes) -> [UInt8] {
    var stream: [UInt8] = [0x78, 0x01]
    var start = 0
    repeat {
        let count = min(65_535, raw.count - start)
        stream.append(start + count == raw.count ? 1 : 0)
        stream += [UInt8(count & 255), UInt8(count >> 8), UInt8(~count & 255), UInt8(~count >> 8 & 255)]
        stream += raw[start..<start + count].array
        start += count
    } while start < raw.count
    return stream + bigEndian(Int(adler(raw)))
}
