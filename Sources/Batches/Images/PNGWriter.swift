import Kernels
import Platform

extension Image {
    /// The image as a PNG file: 8-bit RGB.
    public borrowing func png() -> [UInt8] {
        let rowBytes = width * 3
        let filtered = Bytes(zeros: height * (rowBytes + 1)), plain = Bytes(zeros: filtered.count)
        var above = Bytes(zeros: rowBytes)
        for y in 0..<height {
            let row = bytes[y * rowBytes..<(y + 1) * rowBytes], start = y * (rowBytes + 1)
            PixelLoops.filter(row, above: above, step: 3, into: filtered[start..<start + 1 + rowBytes])
            plain[start + 1..<start + 1 + rowBytes].copy(from: row)
            above = row
        }
        var file = pngSignature
        // 8 bits per channel, colour, then the only compression and filter method, not interlaced.
        append("IHDR", bigEndian(width) + bigEndian(height) + [8, 2, 0, 0, 0], to: &file)
        // Filters help photographs; enlarged pixels and text repeat, and get smaller as they are.
        let streams = [packed(plain), packed(filtered, areDifferences: true)]
        append("IDAT", streams[1].count < streams[0].count ? streams[1] : streams[0], to: &file)
        append("IEND", [], to: &file)
        return file
    }
}

private func packed(_ rows: Bytes, areDifferences: Bool = false) -> [UInt8] {
    var stream: [UInt8] = []
    pack(rows, .zlib, areDifferences: areDifferences) { stream += $0.array }
    return stream
}

let pngSignature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 13, 10, 26, 10]

private func bigEndian(_ value: Int) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) }
}

private func append(_ kind: String, _ content: [UInt8], to file: inout [UInt8]) {
    let chunk = Array(kind.utf8) + content
    file += bigEndian(content.count) + chunk + bigEndian(Int(crc32(Bytes(chunk))))
}
