import Batches
import CTestJPEG
import Glibc
import Kernels
import Testing

@Suite(.serialized) struct `bad image files` {
    @Test(arguments: [0, 1]) func `a file cut at any of 100 points is refused`(_ progressive: Int32) {
        let file = JPEGFile(JPEGFile.pattern(height: 90, width: 120), height: 90, width: 120) {
            $0.progressive = progressive
        }
        for cut in 0..<100 {
            let part = Array(file.bytes[..<(cut * file.bytes.count / 100)])
            #expect(refusal(part) != nil, "cut after \(part.count) of \(file.bytes.count) bytes")
        }
        #expect(refusal(file.bytes.dropLast(1)) != nil)
        #expect(refusal(file.bytes) == nil)
    }

    @Test func `wrong codes inside a file are refused`() {
        var bytes = JPEGFile(JPEGFile.pattern(height: 90, width: 120), height: 90, width: 120).bytes
        let middle = bytes.count / 2
        // A marker where codes are expected.
        bytes.replaceSubrange(middle..<middle + 2, with: [0xFF, 0xD9])
        #expect(refusal(bytes) != nil)
    }

    @Test func `bytes between markers are a warning only`() throws {
        let file = JPEGFile(JPEGFile.pattern(height: 8, width: 8), height: 8, width: 8)
        var image = Image()
        // After the start marker and the 18 bytes of the JFIF segment.
        let warnings = try image.decode(
            Bytes(file.bytes[..<20] + [1, 2, 3] + file.bytes[20...]), path: "a.jpg")
        #expect(warnings == 1)
        #expect(image.bytes.array == file.reference(height: 8, width: 8))
    }

    @Test(
        arguments: [
            ([], "is empty"), ([0x89, 0x50, 0x4E, 0x47, 13, 10, 26, 10], "PNG"), (Array("GIF89a".utf8), "GIF"),
            (Array("RIFF....WEBPVP8 ".utf8), "WebP"), (Array("BM....".utf8), "BMP"), ([0x49, 0x49, 0x2A, 0], "TIFF"),
            (Array("<!DOCTYPE html>".utf8), "markup"), (Array("hello".utf8), "no known"), ([0xFF], "no known"),
        ] as [([UInt8], String)])
    func `another kind of file is named in the reason`(_ file: [UInt8], _ word: String) {
        #expect(refusal(file)?.contains(word) == true)
    }

    @Test func `an error prints the path before the reason`() {
        #expect(throws: SampleError(path: "a.jpg", reason: "is empty")) { _ = try decoded([]) }
        #expect("\(SampleError(path: "a.jpg", reason: "is empty"))" == "a.jpg: is empty")
    }

    @Test(arguments: [(65_500, 65_500), (65_535, 65_535), (30_000, 30_000), (9_900, 9_900), (1, 65_535)])
    func `a huge claim in a small file is refused before memory is taken`(_ height: Int, _ width: Int) {
        let file = JPEGFile(JPEGFile.pattern(height: 8, width: 8), height: 8, width: 8) { $0.quality = 1 }
        let before = peakBytes()
        let reason = refusal(file.claiming(height: height, width: width))
        #expect(reason != nil)
        #expect(peakBytes() - before < 256 << 20)
    }

    @Test(arguments: [0, 1], [0, 1])
    func `random damage ends in an image of the header's size or in an error`(
        _ progressive: Int32, _ arithmetic: Int32
    ) throws {
        let file = JPEGFile(JPEGFile.pattern(height: 33, width: 47), height: 33, width: 47) {
            ($0.horizontal, $0.vertical, $0.progressive, $0.arithmetic) = (2, 2, progressive, arithmetic)
        }
        var random = RandomStream(seed: 1, purpose: .procedural)
        var options = DecodeOptions()
        options.pixelLimit = 100_000
        var image = Image()
        for _ in 0..<500 {
            var damaged = file.bytes
            for _ in 0...random.below(4) { damaged[2 + random.below(damaged.count - 2)] = UInt8(random.below(256)) }
            guard let header = try? JPEGDecoder.header(of: Bytes(damaged), path: "a.jpg"),
                (try? image.decode(Bytes(damaged), path: "a.jpg", options)) != nil
            else { continue }
            #expect(image.height == header.height && image.width == header.width)
        }
    }

    @Test func `the pixel limit is checked on the header`() {
        let file = JPEGFile(JPEGFile.pattern(height: 20, width: 30), height: 20, width: 30)
        var options = DecodeOptions()
        options.pixelLimit = 600
        #expect(refusal(file.bytes, options) == nil)
        options.pixelLimit = 599
        #expect(refusal(file.bytes, options) == "header claims 30 × 20 pixels, the limit is 599")
    }

    @Test func `a scan bomb is refused by its scans`() {
        let file = JPEGFile(JPEGFile.pattern(height: 64, width: 64), height: 64, width: 64) { $0.many_scans = 1 }
        #expect(refusal(file.bytes) == "more scans than the limit")
        var options = DecodeOptions()
        options.scanLimit = 190
        #expect(refusal(file.bytes, options) == nil)
    }

    @Test func `a slow file is refused by the clock`() {
        let file = JPEGFile(JPEGFile.pattern(height: 64, width: 64), height: 64, width: 64) { $0.progressive = 1 }
        var options = DecodeOptions()
        options.secondsLimit = 0
        #expect(refusal(file.bytes, options) == "decoding takes longer than the limit")
    }

    @Test func `coefficients beyond the memory limit are refused`() {
        let file = JPEGFile(JPEGFile.pattern(height: 400, width: 400), height: 400, width: 400) { $0.progressive = 1 }
        var options = DecodeOptions()
        // 400 × 400 × 3 coefficients of 2 bytes.
        options.workingBytesLimit = 700_000
        #expect(refusal(file.bytes, options)?.contains("memory") == true)
        options.workingBytesLimit = 2_000_000
        #expect(refusal(file.bytes, options) == nil)
    }

    /// Highest resident size of this process so far.
    private func peakBytes() -> Int {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return usage.ru_maxrss * 1024
    }
}
