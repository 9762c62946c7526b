import Checkpoints
import Kernels
import Platform
import Testing

/// R7: what a disk can do to a checkpoint.
@Suite struct DamageTests {
    static let damaged = "step-00000002"

    /// Two steps; the second has 500 KB.
    static func store(_ folder: TemporaryFolder) throws -> CheckpointStore {
        let store = CheckpointStore(folder.path)
        #expect(store.save(SampleRun.content(step: 1, width: 4)).isSaved)
        #expect(store.save(SampleRun.content(step: 2, width: 120)).isSaved)
        return store
    }

    /// Whether the store passes the damaged step over and finds the one before it.
    static func fallsBack(_ store: CheckpointStore) throws -> Bool {
        guard let checkpoint = try store.newestValid() else { return false }
        return try checkpoint.step == 1 && SampleRun.isWhole(checkpoint, width: 4)
    }

    @Test func `a cut at every 4 KiB of every file is found`() throws {
        let folder = try TemporaryFolder()
        let store = try Self.store(folder)
        var cuts = 0
        for name in try Folder(folder.path(of: Self.damaged)).names() {
            let path = folder.path(of: Self.damaged + "/" + name)
            let whole = try contents(path)
            for end in stride(from: 0, to: whole.count, by: 4096) {
                try write(Array(whole[..<end]), to: path)
                #expect(try Self.fallsBack(store), "\(name) cut at \(end)")
                cuts += 1
            }
            try write(Array(whole.dropLast()), to: path)
            #expect(try Self.fallsBack(store), "\(name) without its last byte")
            try write(whole, to: path)
        }
        #expect(cuts > 100)
        #expect(try store.newestValid()?.step == 2)
    }

    @Test func `1000 random bit flips are found, each of them`() throws {
        let folder = try TemporaryFolder()
        let store = try Self.store(folder)
        let files = try Folder(folder.path(of: Self.damaged)).names().map { name in
            let path = folder.path(of: Self.damaged + "/" + name)
            return (path: path, bytes: Bytes(try contents(path)))
        }
        var random = SystemRandomNumberGenerator()
        for flip in 0..<1000 {
            // Half of them by file, so that the small ones are hit often, half by byte.
            var target = Int.random(in: 0..<files.count, using: &random)
            if flip % 2 == 0 { target = files.indices.max { files[$0].bytes.count < files[$1].bytes.count } ?? 0 }
            let (path, bytes) = files[target]
            let (at, bit) = (Int.random(in: 0..<bytes.count, using: &random), UInt8.random(in: 0..<8, using: &random))
            bytes[at] ^= 1 << bit
            try write(bytes.array, to: path)
            #expect(try Self.fallsBack(store), "bit \(bit) of byte \(at) of \(path)")
            bytes[at] ^= 1 << bit
            try write(bytes.array, to: path)
        }
        #expect(try store.newestValid()?.step == 2)
    }

    @Test func `a file in the place of a folder, and a folder in the place of a file, are skipped`() throws {
        let folder = try TemporaryFolder()
        let store = try Self.store(folder)
        let model = folder.path(of: Self.damaged + "/model.safetensors")
        try removePath(model)
        try Folder(model).create()
        #expect(try Self.fallsBack(store))
        try removePath(folder.path(of: Self.damaged))
        try write([1, 2, 3], to: folder.path(of: Self.damaged))
        #expect(try Self.fallsBack(store))
    }
}
