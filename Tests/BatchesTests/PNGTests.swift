import Batches
import Kernels
import Platform
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
            guard let image = try? read(resealed(damaged, start)) else {
                refused += 1
                continue
            }
            // Spare bits: of the stream's header, lengths of codes that do not occur, the last byte's padding.
            #expect(image.bytes.array == sample.rgb, "bit \(bit)")
        }
        #expect(refused > 4 * count)
    }

    /// The file with the right checksum of the chunk whose kind stands at `start`.
    private func resealed(_ file: [UInt8], _ start: Int) -> [UInt8] {
        let count = file[start - 4..<start].reduce(0) { $0 << 8 | Int($1) }
        let checksum = crc32(Bytes(Array(file[start..<start + 4 + count])))
        var sealed = file
        for byte in 0..<4 { sealed[start + 4 + count + byte] = UInt8(checksum >> (24 - 8 * byte) & 255) }
        return sealed
    }

    /// Some writers leave a byte there.
    @Test func `bytes behind the packed rows are ignored`() throws {
        let image = Image(height: 1, width: 1, bytes: Bytes([1, 2, 3]))
        var file = image.png()
        // The second chunk: 8 bytes of signature and 25 of header stand before its length.
        let start = 37, count = Int(file[36])
        file[36] += 1
        file.insert(9, at: start + 4 + count)
        #expect(try read(resealed(file, start)).bytes.array == [1, 2, 3])
    }

    @Test func `a header may claim as many pixels as it likes`() {
        var file = Image(height: 1, width: 1, bytes: Bytes([1, 2, 3])).png()
        for index in 16..<24 { file[index] = 255 }
        #expect(reason(resealed(file, 12))?.contains("claims 4294967295 × 4294967295 pixels") == true)
    }

    @Test(arguments: [1, 2, 3, 4, 6, 8], 0...4) func `filters are those of the specification`(
        _ step: Int, _ filter: Int
    ) {
        let count = 24
        let row = Bytes((0..<count).map { UInt8(truncatingIfNeeded: $0 * $0 * 37 + $0 * 11) })
        let above = Bytes((0..<count).map { UInt8(truncatingIfNeeded: $0 * $0 * 53 + 7) })
        let filtered = Bytes(zeros: count)
        for x in 0..<count {
            let (left, corner) = x < step ? (0, 0) : (Int(row[x - step]), Int(above[x - step]))
            let upper = Int(above[x]), guess = left + upper - corner
            // The first of the nearest.
            let nearest = [left, upper, corner].min { abs(guess - $0) < abs(guess - $1) } ?? 0
            let predicted: [Int] = [0, left, upper, (left + upper) / 2, nearest]
            filtered[x] = row[x] &- UInt8(predicted[filter])
        }
        #expect(PixelLoops.unfilter(filtered, UInt8(filter), above: above, step: step))
        #expect(filtered.array == row.array)
        let written = Bytes(zeros: count + 1)
        PixelLoops.filter(row, above: above, step: step, into: written)
        #expect(PixelLoops.unfilter(written[1..<count + 1], written[0], above: above, step: step))
        #expect(written[1..<count + 1].array == row.array)
        #expect(!PixelLoops.unfilter(written[1..<count + 1], 5, above: above, step: step))
    }

    /// A smooth picture, which filters make small, and four colours without order, which they make large.
    @Test(arguments: [false, true]) func `a written picture is no larger than zlib makes its rows`(_ isSmooth: Bool) {
        let (height, width) = (60, 80)
        var rows: [UInt8] = [], bytes: [UInt8] = []
        for y in 0..<height {
            rows.append(0)
            for x in 0..<width {
                let level = isSmooth ? x * x / 40 + y * y / 30 : ((x * 7919 + y * 104_729) * 2_654_435_761) >> 20 & 3
                let pixel = [0, 31, 62].map { UInt8(truncatingIfNeeded: isSmooth ? level : level * 77 + $0) }
                rows += pixel
                bytes += pixel
            }
        }
        var plain = 0
        pack(Bytes(rows), .zlib) { plain += $0.count }
        // Signature, header, the bounds of the packed chunk, end.
        let frame = 8 + 25 + 12 + 12
        let written = Image(height: height, width: width, bytes: Bytes(bytes)).png().count - frame
        #expect(isSmooth ? written < plain : written == plain)
    }

    @Test func `a PNG file under the name of a JPEG is refused`() {
        let file = Image(height: 1, width: 1, bytes: Bytes([1, 2, 3])).png()
        #expect(reason(file, path: "n02105855_2933.JPEG") == "is a PNG file, expected JPEG")
    }
}
