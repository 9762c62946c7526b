import Checkpoints
import FoundationEssentials
import Glibc
import Kernels
import Platform
import Testing

/// R2 and R6: saves that do not come to their end.
@Suite struct InterruptedSaveTests {
    /// The order in which the writer fills the folder before it takes its name.
    static let order = [
        "model.safetensors", "optimizer.safetensors", "ema.safetensors", "resolved.yaml", "state.json", "manifest.json",
    ]

    @Test func `whatever prefix of a save a kill leaves, the step before it loads and the next save works`() throws {
        let folder = try TemporaryFolder()
        let store = CheckpointStore(folder.path)
        #expect(store.save(SampleRun.content(step: 1)).isSaved)
        #expect(store.save(SampleRun.content(step: 2)).isSaved)
        let final = folder.path(of: "step-00000002")
        let temporary = Folder(final + ".tmp")
        let files = try Self.order.map { (name: $0, bytes: try contents(final + "/" + $0)) }
        #expect(try Folder(final).names() == Self.order.sorted())
        try removePath(final)
        for whole in 0...files.count {
            for part in [0.0, 0.5] {
                try temporary.create()
                for file in files[..<whole] { try write(file.bytes, to: temporary.path(of: file.name)) }
                if whole < files.count, part > 0 {
                    let file = files[whole]
                    try write(Array(file.bytes.prefix(file.bytes.count / 2)), to: temporary.path(of: file.name))
                }
                #expect(try store.newestValid()?.step == 1)
                #expect(store.save(SampleRun.content(step: 2)).isSaved)
                #expect(try SampleRun.isWhole(#require(try store.newestValid())))
                #expect(try store.newestValid()?.step == 2)
                try removePath(final)
            }
        }
    }

    /// A process saves without pause until it is killed. The delays spread over many saves of a few milliseconds each.
    @Test(arguments: 0..<20)
    func `a killed writer leaves a checkpoint that loads`(_ round: Int) async throws {
        let folder = try TemporaryFolder()
        let store = CheckpointStore(folder.path, keepLast: 2)
        #expect(store.save(SampleRun.content(step: 0)).isSaved)
        let delay = UInt32(500 + round * 1700)
        await #expect(processExitsWith: .signal(SIGKILL)) { [path = folder.path as String, delay = delay as UInt32] in
            let store = CheckpointStore(path, keepLast: 2)
            let killer = Kernels.Thread("killer") {
                usleep(delay)
                kill(getpid(), SIGKILL)
            }
            for step in 1... {
                // Every third step twice: a save that replaces one of the same number.
                _ = store.save(SampleRun.content(step: step))
                if step % 3 == 0 { _ = store.save(SampleRun.content(step: step)) }
            }
            killer.join()
        }
        var rejected: [CheckpointStore.Rejected] = []
        let checkpoint = try #require(try store.newestValid { rejected.append($0) })
        #expect(try SampleRun.isWhole(checkpoint))
        #expect(rejected.isEmpty, "\(rejected)")
    }

    @Test func `a write error keeps the old checkpoint, removes the new one and is told with each try`() async throws {
        let folder = try TemporaryFolder()
        #expect(CheckpointStore(folder.path).save(SampleRun.content(step: 1)).isSaved)
        await #expect(processExitsWith: .success) { [path = folder.path as String] in
            try limitFiles(to: 10_000)
            let store = CheckpointStore(path)
            let outcome = store.save(SampleRun.content(step: 2), retries: .init(count: 3, firstWaitSeconds: 0.01))
            #expect(!outcome.isSaved && outcome.failures.count == 4)
            #expect(outcome.failures.allSatisfy { $0.reason == .unwritable(diskFull: false) })
            #expect(outcome.failures[0].place.hasSuffix("step-00000002.tmp/model.safetensors"))
            #expect(try Folder(path).names() == ["step-00000001"])
            #expect(try store.newestValid()?.step == 1)
        }
        #expect(CheckpointStore(folder.path).save(SampleRun.content(step: 2)).isSaved)
    }

    /// The disk gets room again while the save waits.
    @Test func `a later try can succeed and says what went before`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path(of: "checkpoints")
        try write([], to: path)
        let mender = Kernels.Thread("mender") {
            _ = Pause().wait(seconds: 0.15)
            try? removePath(path)
        }
        let outcome = CheckpointStore(path).save(
            SampleRun.content(step: 2), retries: .init(count: 3, firstWaitSeconds: 0.1))
        mender.join()
        #expect(outcome.isSaved && !outcome.failures.isEmpty)
        #expect(try CheckpointStore(path).newestValid()?.step == 2)
    }
}
