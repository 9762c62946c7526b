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

    @Test func `a PNG file under the name of a JPEG is refused`() {
        let file = Image(height: 1, width: 1, bytes: Bytes([1, 2, 3])).png()
        #expect(reason(file, path: "n02105855_2933.JPEG") == "is a PNG file, expected JPEG")
    }
}
