import Batches
import Kernels
import Testing

@Suite struct `PNG files` {
    private func read(_ file: [UInt8], path: String = "a.png") throws(SampleError) -> Image {
        var image = Image()
        try image.decode(Bytes(file), path: path)
        return image
    }

    private func reason(_ file: [UInt8], path: String = "a.png") -> String? {
        do {
            _ = try read(file, path: path)
            return nil
        } catch { return error.reason }
    }

    /// More than one stored block, and one pixel.
    @Test(arguments: [(1, 1), (3, 5), (150, 170)]) func `what is written is read again`(_ height: Int, _ width: Int)
        throws
    {
        let pattern = JPEGFile.pattern(height: height, width: width)
        let image = try read(Image(height: height, width: width, bytes: Bytes(pattern)).png())
        #expect(image.height == height && image.width == width && image.bytes.array == pattern)
    }

    /// Written by zlib at its highest level (dynamic codes) with the filter that each file's name says.
    @Test(arguments: PNGSample.all) func `files of other writers are read`(_ sample: PNGSample) throws {
        let image = try read(sample.file)
        #expect(image.height == sample.height && image.width == sample.width)
        #expect(image.bytes.array == sample.rgb)
    }

    @Test func `a file cut anywhere or with a flipped bit is refused`() {
        let file = PNGSample.all[0].file
        for cut in 8..<file.count { #expect(reason(Array(file[..<cut])) != nil) }
        for bit in 64..<8 * file.count {
            var damaged = file
            damaged[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(reason(damaged) != nil, "bit \(bit)")
        }
    }

    /// Damage behind a right chunk checksum reaches the unpacking itself.
    @Test(arguments: PNGSample.all) func `wrong packed bytes never give wrong pixels`(_ sample: PNGSample) {
        let start = sample.file.indices.first { sample.file[$0...].starts(with: Array("IDAT".utf8)) } ?? 0
        let count = Int(sample.file[start - 1]) + 256 * Int(sample.file[start - 2])
        var refused = 0
        for bit in 8 * (start + 4)..<8 * (start + 4 + count) {
            var damaged = sample.file
            damaged[bit / 8] ^= 1 << UInt8(bit % 8)
            let checksum = crc(damaged[start..<start + 4 + count])
            for byte in 0..<4 { damaged[start + 4 + count + byte] = UInt8(checksum >> (24 - 8 * byte) & 255) }
            guard let image = try? read(damaged) else {
                refused += 1
                continue
            }
            // Spare bits: of the stream's header, lengths of codes that do not occur, the last byte's padding.
            #expect(image.bytes.array == sample.rgb, "bit \(bit)")
        }
        #expect(refused > 4 * count)
    }

    private func crc(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        ~bytes.reduce(0xFFFF_FFFF as UInt32) { state, byte in
            (0..<8).reduce(state ^ UInt32(byte)) { value, _ in value & 1 == 1 ? 0xEDB8_8320 ^ value >> 1 : value >> 1 }
        }
    }

    @Test func `a PNG file under the name of a JPEG is refused`() {
        let file = Image(height: 1, width: 1, bytes: Bytes([1, 2, 3])).png()
        #expect(reason(file, path: "n02105855_2933.JPEG") == "is a PNG file, expected JPEG")
    }
}
