/// Writes pictures as PNG without compression: small pictures of reconstructions, readable everywhere.
/// Source: the PNG specification, third edition, and RFC 1950, 1951 (stored blocks).
public struct PNG: Sendable {
    public let bytes: [UInt8]

    /// - Parameters:
    ///   - pixels: rows of interleaved bytes, `height` × `width` × `channels`.
    ///   - channels: 1 grey, 3 red-green-blue, 4 with opacity.
    public init(_ pixels: [UInt8], width: Int, height: Int, channels: Int) {
        precondition(width > 0 && height > 0, "a picture has pixels")
        precondition(
            pixels.count == width * height * channels, "\(pixels.count) bytes for \(height)×\(width)×\(channels)")
        let colour: UInt8
        switch channels {
        case 1: colour = 0
        case 3: colour = 2
        case 4: colour = 6
        default: preconditionFailure("a picture has 1, 3 or 4 channels")
        }
        var rows: [UInt8] = []
        rows.reserveCapacity(pixels.count + height)
        for row in 0..<height {
            rows.append(0)  // no filter
            rows += pixels[row * width * channels..<(row + 1) * width * channels]
        }
        var bytes: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
        let header = Self.bigEndian(UInt32(width)) + Self.bigEndian(UInt32(height)) + [8, colour, 0, 0, 0]
        bytes += Self.chunk("IHDR", header)
        bytes += Self.chunk("IDAT", Self.stored(rows))
        bytes += Self.chunk("IEND", [])
        self.bytes = bytes
    }

    private static func chunk(_ name: String, _ content: [UInt8]) -> [UInt8] {
        let body = Array(name.utf8) + content
        return bigEndian(UInt32(content.count)) + body + bigEndian(Checksum.crc32.value(of: body))
    }

    /// A zlib stream of stored blocks.
    private static func stored(_ bytes: [UInt8]) -> [UInt8] {
        var stream: [UInt8] = [0x78, 0x01]
        stream.reserveCapacity(bytes.count + bytes.count / 65_535 * 5 + 16)
        for start in stride(from: 0, to: bytes.count, by: 65_535) {
            let end = min(bytes.count, start + 65_535)
            let size = UInt16(end - start)
            stream += [end == bytes.count ? 1 : 0, UInt8(size & 255), UInt8(size >> 8)]
            stream += [UInt8(~size & 255), UInt8(~size >> 8)]
            stream += bytes[start..<end]
        }
        var (low, high) = (UInt32(1), UInt32(0))
        for byte in bytes {
            low = (low + UInt32(byte)) % 65_521
            high = (high + low) % 65_521
        }
        return stream + bigEndian(high << 16 | low)
    }

    private static func bigEndian(_ value: UInt32) -> [UInt8] {
        [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
    }
}
