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
        damaged[file.count / 2] ^= 4
        folder.write("damaged.gz", damaged)
        folder.write("cut.gz", Array(file.dropLast(20)))
        folder.write("twice.gz", file + file)
        for name in ["damaged.gz", "cut.gz", "twice.gz"] {
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

    /// The largest number of all ended the program, a smaller one asked for a name for each number below it.
    @Test(arguments: ["\(Int.max)", "1048576", "-1", "one"])
    func `a label that is no class is named with its line`(label: String) throws {
        let folder = TemporaryFolder(), path = folder.path + "/x-token.data.bin"
        folder.write("x-token.data.bin", [4, 5])
        let starts = Buffer<Int64>([0, 1, 2])
        folder.write("x-token.index.npy", NumPyFile.file("<i8", [3], starts.viewed(as: UInt8.self)).array)
        folder.write("labels.txt", Array("0\n\(label)\n".utf8))
        let error = #expect(throws: DataError.self) { try PublishedTokens(path, labels: folder.path + "/labels.txt") }
        #expect(error?.place == folder.path + "/labels.txt, line 2" && error?.found == "'\(label)'")
    }

    /// A record's class became another one, and nothing said so.
    @Test func `a damaged label is found when a token set is opened`() throws {
        let folder = TemporaryFolder(), path = folder.path + "/x.safetensors"
        var file = tokenSet()
        folder.write("x.safetensors", file)
        let set = try TokenSet(path)
        #expect((0..<2).map { set.label($0) } == [0, 1])
        file[file.count - 8] ^= 1
        folder.write("damaged.safetensors", file)
        let error = #expect(throws: DataError.self) { try TokenSet(folder.path + "/damaged.safetensors") }
        #expect(error?.place == folder.path + "/damaged.safetensors" && error?.found.contains("labels") == true)
        // Not every file states the hash.
        folder.write("silent.safetensors", tokenSet(statesHash: false))
        #expect(try TokenSet(folder.path + "/silent.safetensors").label(1) == 1)
    }

    @Test func `a token set brings its synonyms along, and one without labels is published without`() throws {
        let folder = TemporaryFolder()
        folder.write("x.safetensors", tokenSet(isLabelled: false))
        let set = try TokenSet(folder.path + "/x.safetensors")
        #expect(set.classes == nil && set.label(0) == nil)
        #expect(set.grid.synonyms.array == [Int32](repeating: 3, count: 30))
        let files = try set.writePublished(folder.path + "/y")
        #expect(files.count == 4 && FileStatus(folder.path + "/y-label.txt") == nil)
        let published = try PublishedTokens(files[0], labels: nil)
        #expect(published.count == 2 && published.side == 1 && published.labels == nil)
    }

    /// The file of a token set: two records of one id, 4 and 5, out of six codes whose synonym is 3, with the labels 0 and 1,
    /// which lie last.
    private func tokenSet(isLabelled: Bool = true, statesHash: Bool = true) -> [UInt8] {
        let codebook = Codebook(Floats([1, 2, 3, 4, 5, 6]), width: 1, metric: .cosine)
        let checksums = Buffer<UInt32>([TokenSet.checksum(Bytes([4]), 0), TokenSet.checksum(Bytes([5]), 1)])
        let synonyms = Indices([Int32](repeating: 3, count: 30))
        let labels = Buffer<Int64>([0, 1]).viewed(as: UInt8.self)
        var tensors: [(String, String, [Int], Bytes)] = [
            ("tokens", "U8", [2, 1], Bytes([4, 5])), ("checksums", "U32", [2], checksums.viewed(as: UInt8.self)),
            ("codebook", "F32", [6, 1], codebook.rows.viewed(as: UInt8.self)),
            ("synonyms", "I32", [6, 5], synonyms.viewed(as: UInt8.self)),
        ]
        var metadata = ["n": "1", "K": "6", "D": "1", "bits": "3", "metric": "cosine", "codebook": codebook.name]
        if isLabelled {
            tensors.append(("labels", "I64", [2], labels))
            metadata["classes"] = #"[\"a\", \"b\"]"#
            if statesHash { metadata["labels"] = String(XXHash64.hash(labels), radix: 16) }
        }
        let texts = metadata.map { key, value in "\"\(key)\": \"\(value)\"" }
        var (entries, data) = (["\"__metadata__\": {\(texts.joined(separator: ", "))}"], [UInt8]())
        for (name, type, shape, bytes) in tensors {
            let end = data.count + bytes.count
            entries.append(
                "\"\(name)\": {\"dtype\": \"\(type)\", \"shape\": \(shape), \"data_offsets\": [\(data.count), \(end)]}")
            data += bytes.array
        }
        let header = Array("{\(entries.joined(separator: ", "))}".utf8)
        let length: [UInt8] = (0..<8).map { UInt8(truncatingIfNeeded: header.count >> (8 * $0)) }
        return length + header + data
    }

    @Test func `the nearest other codes come first, the lower of equal ones before`() {
        let codebook = Codebook(Floats([1, 0, 0.9, 0.1, -1, 0, 0, 1, 0, -1]), width: 2, metric: .cosine)
        #expect(codebook.synonyms(2).array == [1, 3, 0, 3, 3, 4, 1, 0, 0, 2])
        #expect(codebook.nearest(to: Floats([0, 5])) == 3)
    }

    @Test func `evaluations see the middle of the grid, as ids or as code vectors`() {
        let codebook = Codebook(Floats((0..<32).map { Float($0) }), width: 2, metric: .cosine)
        let grid = TokenGrid(side: 4, codebook)
        let ids = Indices((0..<16).map { Int32($0) })
        let (numbers, vectors) = (Floats(zeros: 4), Floats(zeros: 8))
        CentreTokens(grid, side: 2, embeds: false).apply(ids, into: numbers)
        CentreTokens(grid, side: 2, embeds: true).apply(ids, into: vectors)
        #expect(numbers.array == [5, 6, 9, 10])
        #expect(vectors.array == [10, 11, 12, 13, 18, 19, 20, 21])
    }
}
