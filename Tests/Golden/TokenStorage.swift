import Batches
import Kernels
import Testing

/// The forms that ids are stored in.
@Suite struct TokenStorage {
    static let files = TokenizerFile.files(holding: "input/tokens", "output/escape_bytes")

    @Test func `there are tokens to store`() { #expect(!Self.files.isEmpty) }

    @Test(arguments: files) func `stored ids equal the reference and read back`(_ golden: TokenizerFile) throws {
        let shape = try golden.shape("input/tokens")
        let tokens = try golden.integers("input/tokens").map { Int32($0) }
        let count = shape.dropFirst().reduce(1, *)
        let codes = try #require(golden.config.codebook_size ?? golden.config.K)
        let packing = PackedIDs(count: count, codes: codes)
        if let bits = golden.config.bits { #expect(packing.bits == bits) }
        let starts = try golden.integers("output/start_indices")
        let escaped = try golden.file.tensor("output/escape_bytes").bytes
        let packed = try golden.file.tensor("output/packed_bytes").bytes
        var bytes: [UInt8] = []
        let (record, again) = (Bytes(zeros: packing.bytes), Indices(zeros: count))
        for image in 0..<shape[0] {
            let ids = Indices(Array(tokens[image * count..<(image + 1) * count]))
            #expect(starts[image] == bytes.count)
            EscapeCode.append(ids, to: &bytes)
            let range = starts[image]..<starts[image + 1]
            #expect(EscapeCode.read(escaped[range], into: again) == nil && again.array == ids.array)
            packing.pack(ids, into: record)
            let expected = packed[image * packing.bytes..<(image + 1) * packing.bytes]
            #expect(record.array == expected.array)
            #expect(packing.unpack(expected, into: again) == Int(ids.array.max() ?? 0) && again.array == ids.array)
        }
        #expect(bytes == escaped.array && starts.last == bytes.count)
    }
}
