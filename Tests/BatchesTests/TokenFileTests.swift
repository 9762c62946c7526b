import Batches
import Kernels
import Platform
import Testing

/// The forms of stored ids by hand, and what is said of damaged ones.
@Suite struct TokenFileTests {
    @Test func `ids are packed from the lowest bit, and a record begins on a byte`() {
        let packing = PackedIDs(count: 3, codes: 5)
        #expect(packing.bits == 3 && packing.bytes == 2)
        let bytes = Bytes(zeros: 2)
        // 4 | 3 << 3 | 1 << 6 = 0b001_011_100
        packing.pack(Indices([4, 3, 1]), into: bytes)
        #expect(bytes.array == [0b0101_1100, 0])
        let ids = Indices(zeros: 3)
        #expect(packing.unpack(bytes, into: ids) == 4 && ids.array == [4, 3, 1])
        #expect(PackedIDs(count: 8, codes: 1).bits == 1 && PackedIDs(count: 8, codes: 512).bits == 9)
    }

    @Test func `a byte of 255 adds 255 to the next one`() {
        var bytes: [UInt8] = []
        EscapeCode.append(Indices([0, 254, 255, 509]), to: &bytes)
        #expect(bytes == [0, 254, 255, 0, 255, 254])
        let ids = Indices(zeros: 4)
        #expect(EscapeCode.read(Bytes(bytes), into: ids) == nil && ids.array == [0, 254, 255, 509])
        #expect(EscapeCode.read(Bytes([1, 2, 3, 255]), into: ids)?.contains("escape byte") == true)
        #expect(EscapeCode.read(Bytes([1, 2, 3]), into: ids) == "3 ids, expected 4")
        #expect(EscapeCode.read(Bytes([1, 2, 3, 4, 5]), into: ids) == "more than 4 ids")
    }

    @Test func `a packed file reads back, and damage is found`() throws {
        let folder = TemporaryFolder(), path = folder.path + "/x.gz"
        let content = Bytes((0..<150_000).map { UInt8(truncatingIfNeeded: $0 * 7 / 5) })
        try Gzip.write(content, to: path)
        #expect(try Gzip.read(path).array == content.array)
        let file = try MappedFile(path).bytes.array
        var damaged = file
        damaged[70_000] ^= 4
        folder.write("damaged.gz", damaged)
        folder.write("cut.gz", Array(file.dropLast(1000)))
        for name in ["damaged.gz", "cut.gz"] {
            let error = #expect(throws: DataError.self) { try Gzip.read(folder.path + "/" + name) }
            #expect(error?.place == folder.path + "/" + name)
        }
    }

    @Test func `a published set names the record that is wrong`() throws {
        let folder = TemporaryFolder(), path = folder.path + "/x-token.data.bin"
        // Three records of 2 x 2 ids; the last one escapes once.
        folder.write("x-token.data.bin", [0, 1, 2, 3, 3, 2, 1, 0, 9, 255, 45, 9, 9])
        let starts = Buffer<Int64>([0, 4, 8, 13])
        folder.write("x-token.index.npy", NumPyFile.file("<i8", [4], starts.viewed(as: UInt8.self)).array)
        folder.write("labels.txt", Array("0\n1\n0\n".utf8))
        let set = try PublishedTokens(path, labels: folder.path + "/labels.txt")
        #expect(set.count == 3 && set.side == 2 && set.labels == [0, 1, 0])
        let ids = Indices(zeros: 4)
        try set.read(2, codes: 301, into: ids)
        #expect(ids.array == [9, 300, 9, 9])
        let error = #expect(throws: DataError.self) { try set.read(2, codes: 300, into: ids) }
        #expect(error?.place == path + ", record 2" && error?.found == "id 300")
        folder.write("x-token.data.bin", [0, 1, 2, 3, 3, 2, 1, 0, 9, 255, 45, 9])
        let cut = #expect(throws: DataError.self) { try PublishedTokens(path, labels: folder.path + "/labels.txt") }
        #expect(cut?.hint.contains("cut short") == true)
    }

    @Test func `the nearest other codes come first, the lower of equal ones before`() {
        let codebook = Codebook(Floats([1, 0, 0.9, 0.1, -1, 0, 0, 1, 0, -1]), width: 2, metric: .cosine)
        #expect(codebook.synonyms(2).array == [1, 3, 0, 3, 3, 4, 1, 0, 0, 2])
        #expect(codebook.nearest(to: Floats([0, 5])) == 3)
    }

    @Test func `evaluations see the middle of the grid, as ids or as code vectors`() {
        let codebook = Codebook(Floats((0..<32).map { Float($0) }), width: 2, metric: .cosine)
        let grid = TokenGrid(side: 4, codebook)
        let ids = Indices((0..<16).map { Int32($0) }), key = SampleKey(seed: 0, epoch: 0, sample: 0)
        let (numbers, vectors) = (Floats(zeros: 4), Floats(zeros: 8))
        let memory = TokenMemory((0, 0))
        CentreTokens(grid, side: 2, embeds: false).apply(ids, key, into: numbers, using: memory)
        CentreTokens(grid, side: 2, embeds: true).apply(ids, key, into: vectors, using: memory)
        #expect(numbers.array == [5, 6, 9, 10])
        #expect(vectors.array == [10, 11, 12, 13, 18, 19, 20, 21])
    }
}
