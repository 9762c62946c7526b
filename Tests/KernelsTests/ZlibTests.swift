import Kernels
import Platform
import Testing

@Suite struct `Packed bytes` {
    private func packed(_ bytes: [UInt8], _ form: DeflateForm, areDifferences: Bool = false) -> [UInt8] {
        var stream: [UInt8] = []
        pack(Bytes(bytes), form, areDifferences: areDifferences) { stream += $0.array }
        return stream
    }

    private func unpacked(_ stream: [UInt8], _ form: DeflateForm, count: Int) throws(UnpackingError) -> [UInt8] {
        let bytes = Bytes(zeros: count)
        _ = try unpack(Bytes(stream), form, into: bytes)
        return bytes.array
    }

    /// Numbers without a pattern, so that several pieces are handed out.
    private let noise: [UInt8] = (0..<200_000).map { UInt8(truncatingIfNeeded: ($0 &* 2_654_435_761) >> 13) }

    @Test(arguments: [DeflateForm.zlib, .gzip], [0, 1, 200_000]) func `what is packed is unpacked`(
        _ form: DeflateForm, _ count: Int
    ) throws {
        for areDifferences in [false, true] {
            let stream = packed(Array(noise[..<count]), form, areDifferences: areDifferences)
            #expect(try unpacked(stream, form, count: count) == Array(noise[..<count]))
        }
    }

    /// `printf abcabcabcabc > abc; gzip -9 abc`, with the file's name.
    @Test func `what gzip packs is unpacked`() throws {
        let file: [UInt8] = [
            31, 139, 8, 8, 128, 251, 13, 107, 2, 3, 97, 98, 99, 0, 75, 76, 74, 78, 132, 33, 0, 52, 42, 110, 90, 12, 0,
            0, 0,
        ]
        #expect(try unpacked(file, .gzip, count: 12) == Array("abcabcabcabc".utf8))
    }

    @Test func `bytes behind the stream are not its own`() throws {
        let stream = packed([1, 2, 3], .zlib)
        #expect(try unpack(Bytes(stream + [0, 9]), .zlib, into: Bytes(zeros: 3)) == stream.count)
    }

    @Test func `a stream of another length is refused`() throws {
        let stream = packed(noise, .zlib)
        #expect(throws: UnpackingError.endsEarly) { try unpacked(stream.dropLast(), .zlib, count: noise.count) }
        #expect(throws: UnpackingError.endsEarly) { try unpacked([], .zlib, count: 0) }
        #expect(throws: UnpackingError.tooFewBytes) { try unpacked(stream, .zlib, count: noise.count + 1) }
        #expect(throws: UnpackingError.tooManyBytes) { try unpacked(stream, .zlib, count: noise.count - 1) }
    }

    @Test func `a damaged stream is refused in the words of zlib`() {
        var stream = packed(noise, .gzip)
        stream[stream.count - 5] ^= 1
        #expect(throws: UnpackingError.damaged("incorrect data check")) {
            try unpacked(stream, .gzip, count: noise.count)
        }
        #expect(throws: UnpackingError.damaged("incorrect header check")) { try unpacked([1, 2, 3], .zlib, count: 1) }
    }

    @Test func `CRC-32 gives the published check value, in parts too`() {
        let (first, second) = (Bytes(Array("1234".utf8)), Bytes(Array("56789".utf8)))
        #expect(crc32(second, after: crc32(first)) == 0xCBF4_3926)
        #expect(crc32(Bytes([])) == 0)
    }
}
