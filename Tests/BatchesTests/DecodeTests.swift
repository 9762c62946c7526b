import Batches
import CTestJPEG
import Kernels
import Testing

@Suite struct `decoding` {
    @Test(
        arguments: [(1, 1), (2, 1), (1, 2), (2, 2), (4, 1), (4, 2)],
        ["baseline", "progressive", "arithmetic", "restart markers"])
    func `every size from 1 × 1 to 17 × 17 equals the library`(
        _ sampling: (horizontal: Int32, vertical: Int32), _ kind: String
    ) throws {
        for height in 1...17 {
            for width in 1...17 {
                let file = JPEGFile(JPEGFile.pattern(height: height, width: width), height: height, width: width) {
                    ($0.horizontal, $0.vertical) = sampling
                    $0.progressive = kind == "progressive" ? 1 : 0
                    $0.arithmetic = kind == "arithmetic" ? 1 : 0
                    $0.restart = kind == "restart markers" ? 1 : 0
                }
                let image = try decoded(file.bytes)
                guard image.height == height, image.width == width,
                    image.bytes.array == file.reference(height: height, width: width)
                else {
                    Issue.record("\(height) × \(width) differs")
                    return
                }
            }
        }
    }

    @Test func `the header tells coding and channels`() throws {
        let pattern = JPEGFile.pattern(height: 9, width: 20)
        let file = JPEGFile(pattern, height: 9, width: 20) {
            $0.progressive = 1
            $0.arithmetic = 1
        }
        let header = try JPEGDecoder.header(of: Bytes(file.bytes), path: "a.jpg")
        #expect((header.height, header.width, header.components) == (9, 20, 3))
        #expect(header.isProgressive && header.isArithmetic)
    }

    @Test func `grey becomes three equal channels`() throws {
        let file = JPEGFile(JPEGFile.pattern(height: 8, width: 8, channels: 1), height: 8, width: 8) { $0.channels = 1 }
        let image = try decoded(file.bytes)
        for pixel in 0..<64 {
            #expect(image.bytes[3 * pixel] == image.bytes[3 * pixel + 1])
            #expect(image.bytes[3 * pixel] == image.bytes[3 * pixel + 2])
        }
    }

    /// Stored inks are inverted, so a colour is the stored ink times the stored black.
    @Test(arguments: [0, 1])
    func `four inks become the colours they print`(_ ycck: Int32) throws {
        let inks: [UInt8] = [250, 10, 128, 200]
        let pixels = Array(repeating: inks, count: 256).flatMap(\.self)
        let file = JPEGFile(pixels, height: 16, width: 16) {
            ($0.channels, $0.quality, $0.ycck) = (4, 100, ycck)
        }
        let image = try decoded(file.bytes)
        for channel in 0..<3 {
            let expected = Int((Double(inks[channel]) * 200 / 255).rounded())
            #expect(abs(Int(image.bytes[3 * 100 + channel]) - expected) <= 2)
        }
    }

    @Test(
        arguments: zip(
            1...8, ["abcdef", "cbafed", "fedcba", "defabc", "adbecf", "daebfc", "fcebda", "cfbead"]))
    func `each orientation turns a 2 × 3 image upright`(_ orientation: Int, _ upright: String) {
        var image = Image(height: 2, width: 3, bytes: Bytes("abcdef".utf8.flatMap { [$0, $0, $0] }))
        image.orient(orientation)
        #expect(image.height == (orientation < 5 ? 2 : 3))
        #expect(image.bytes.array == upright.utf8.flatMap { [$0, $0, $0] })
    }

    @Test func `the orientation tag is ignored`() throws {
        let plain = JPEGFile(JPEGFile.pattern(height: 12, width: 20), height: 12, width: 20)
        let image = try decoded(plain.bytes)
        let tagged = try decoded(plain.oriented(6))
        #expect(tagged.height == 12 && tagged.bytes.array == image.bytes.array)
    }

    @Test func `one image decodes many files in the same storage`() throws {
        let large = JPEGFile(JPEGFile.pattern(height: 60, width: 80), height: 60, width: 80)
        let small = JPEGFile(JPEGFile.pattern(height: 20, width: 30), height: 20, width: 30)
        var image = try decoded(large.bytes)
        let storage = image.bytes[0..<1]
        try image.decode(Bytes(small.bytes), path: "b.jpg")
        #expect(image.bytes.pointer == storage.pointer)
        #expect(image.bytes.array == small.reference(height: 20, width: 30))
    }
}
