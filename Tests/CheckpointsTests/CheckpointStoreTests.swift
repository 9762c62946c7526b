import Checkpoints
import FoundationEssentials
import Kernels
import Platform
import Testing

@Suite struct CheckpointStoreTests {
    @Test func `a saved step comes back bit for bit`() throws {
        let folder = try TemporaryFolder()
        let store = CheckpointStore(folder.path(of: "checkpoints"))
        #expect(try store.newestValid() == nil)
        #expect(store.save(SampleRun.content(step: 1234)).isSaved)
        let checkpoint = try #require(try store.newestValid())
        #expect(checkpoint.path.hasSuffix("/checkpoints/step-00001234"))
        #expect(try SampleRun.isWhole(checkpoint))
        #expect(
            checkpoint.fileNames == [
                "ema.safetensors", "model.safetensors", "optimizer.safetensors", "resolved.yaml", "state.json",
            ])
        #expect(!checkpoint.holds(.objective) && checkpoint.holds(.average))
    }

    @Test func `a folder on another disk, behind a link, is used`() throws {
        let folder = try TemporaryFolder()
        try Folder(folder.path(of: "disk")).create()
        try FileManager.default.createSymbolicLink(
            atPath: folder.path(of: "checkpoints"), withDestinationPath: folder.path(of: "disk"))
        #expect(CheckpointStore(folder.path(of: "checkpoints")).save(SampleRun.content(step: 3)).isSaved)
        #expect(try CheckpointStore(folder.path(of: "disk")).newestValid()?.step == 3)
    }

    @Test func `a run is saved before its first step`() throws {
        let folder = try TemporaryFolder()
        let store = CheckpointStore(folder.path)
        #expect(store.save(SampleRun.content(step: 0)).isSaved)
        #expect(try store.newestValid()?.step == 0)
    }

    /// A node whose clock is an hour behind writes the later step with the earlier time.
    @Test func `the newest is the highest step, whatever the clocks say`() throws {
        let folder = try TemporaryFolder()
        let store = CheckpointStore(folder.path)
        for step in [300, 100, 99_999_999, 200] { #expect(store.save(SampleRun.content(step: step)).isSaved) }
        for (index, step) in [99_999_999, 300, 200].enumerated() {
            let path = try #require(try store.newestValid()).path
            try FileManager.default.setAttributes(
                [.modificationDate: Date(timeIntervalSince1970: 1)], ofItemAtPath: path)
            #expect(try store.newestValid()?.step == step, "round \(index)")
            try removePath(path)
        }
    }

    @Test func `old steps go, permanent ones stay`() throws {
        let folder = try TemporaryFolder()
        let store = CheckpointStore(folder.path, keepLast: 2, permanentEvery: 50)
        for step in stride(from: 10, through: 110, by: 20) {
            #expect(store.save(SampleRun.content(step: step)).isSaved)
        }
        #expect(try store.steps() == [50, 90, 110])
        #expect(store.save(SampleRun.content(step: 130)).removed == [90])
        #expect(try Folder(folder.path).names() == ["step-00000050", "step-00000110", "step-00000130"])
    }

    @Test func `the best step stays until another one is the best`() throws {
        let folder = try TemporaryFolder()
        let store = CheckpointStore(folder.path, keepLast: 1)
        for (step, best) in [(1, 1), (2, 2), (3, 2), (4, 2)] {
            #expect(store.save(SampleRun.content(step: step), keeping: best).isSaved)
        }
        #expect(try store.steps() == [2, 4])
        #expect(try SampleRun.isWhole(store.checkpoint(ofStep: 2)))
        #expect(store.save(SampleRun.content(step: 5), keeping: 5).removed == [2, 4])
        #expect(throws: CheckpointError.self) { try store.checkpoint(ofStep: 2) }
    }

    @Test func `a passed-over higher step does not push the newly saved one out`() throws {
        let folder = try TemporaryFolder()
        let store = CheckpointStore(folder.path, keepLast: 1)
        #expect(store.save(SampleRun.content(step: 30)).isSaved)
        try write([1], to: folder.path(of: "step-00000030/model.safetensors"))
        #expect(store.save(SampleRun.content(step: 20)).isSaved)
        #expect(try store.newestValid()?.step == 20)
    }

    @Test func `saving a step again replaces it`() throws {
        let folder = try TemporaryFolder()
        let store = CheckpointStore(folder.path)
        #expect(store.save(SampleRun.content(step: 5)).isSaved)
        try write([1], to: folder.path(of: "step-00000005/model.safetensors"))
        #expect(store.save(SampleRun.content(step: 5)).isSaved)
        #expect(try SampleRun.isWhole(#require(try store.newestValid())))
        #expect(try Folder(folder.path).names() == ["step-00000005"])
    }

    @Test func `a save that stepped aside for its successor is still found`() throws {
        let folder = try TemporaryFolder()
        let store = CheckpointStore(folder.path)
        #expect(store.save(SampleRun.content(step: 5)).isSaved)
        try renamePath(folder.path(of: "step-00000005"), to: folder.path(of: "step-00000005.old"))
        #expect(try SampleRun.isWhole(#require(try store.newestValid())))
    }

    @Test func `a manifest that points to nothing is skipped and named`() throws {
        let folder = try TemporaryFolder()
        let store = CheckpointStore(folder.path)
        for step in [1, 2] { #expect(store.save(SampleRun.content(step: step)).isSaved) }
        try removePath(folder.path(of: "step-00000002/optimizer.safetensors"))
        var rejected: [CheckpointStore.Rejected] = []
        #expect(try store.newestValid { rejected.append($0) }?.step == 1)
        #expect(rejected.map(\.step) == [2])
        #expect(rejected.first?.error.description.contains("optimizer.safetensors: missing") == true)
    }

    @Test func `damage names the file and the tensor`() throws {
        let folder = try TemporaryFolder()
        let store = CheckpointStore(folder.path)
        #expect(store.save(SampleRun.content(step: 2)).isSaved)
        let path = folder.path(of: "step-00000002/model.safetensors")
        var bytes = try contents(path)
        let end = bytes.count - 9  // the last of the int64 is 8 bytes; before it ends head.weight
        bytes[end] ^= 4
        try write(bytes, to: path)
        let checkpoint = try Checkpoint(folder.path(of: "step-00000002"))
        let error = #expect(throws: CheckpointError.self) { try checkpoint.verify() }
        #expect(error?.place == path && error?.hint == "tensor 'head.weight' is damaged")
    }

    @Test func `only damaged checkpoints are an error, not a fresh start`() throws {
        let folder = try TemporaryFolder()
        let store = CheckpointStore(folder.path)
        #expect(store.save(SampleRun.content(step: 2)).isSaved)
        try removePath(folder.path(of: "step-00000002/manifest.json"))
        #expect(throws: CheckpointError.self) { try store.newestValid() }
    }

    @Test func `a folder under a foreign number is refused`() throws {
        let folder = try TemporaryFolder()
        let store = CheckpointStore(folder.path)
        for step in [1, 2] { #expect(store.save(SampleRun.content(step: step)).isSaved) }
        try renamePath(folder.path(of: "step-00000002"), to: folder.path(of: "step-00000009"))
        #expect(try store.newestValid()?.step == 1)
    }

    @Test func `other names in the folder are left alone`() throws {
        let folder = try TemporaryFolder()
        let store = CheckpointStore(folder.path, keepLast: 1)
        for name in ["step-1", "step-00000009x", "step-", "notes"] { try Folder(folder.path(of: name)).create() }
        for step in [1, 2] { #expect(store.save(SampleRun.content(step: step)).isSaved) }
        #expect(try store.newestValid()?.step == 2)
        #expect(try Folder(folder.path).names().count == 5)
    }
}
