import Checkpoints
import FoundationEssentials
import Glibc
import Platform
import Testing

/// R9 and R10: one run to a folder.
@Suite struct RunLockTests {
    struct Claim: Codable {
        var host = "node7"
        var pid = 4321
        var startTicks: UInt64 = 99
        var machine = "another boot"
        var job = "1234"
        var token: UInt64 = 1
    }

    /// A lock that another process wrote and left, `seconds` ago.
    static func leave(_ claim: Claim, _ folder: TemporaryFolder, secondsAgo: Double) throws {
        let path = folder.path(of: "LOCK")
        try write(Array(try JSONEncoder().encode(claim)), to: path)
        let date = Date(timeIntervalSinceNow: -secondsAgo)
        try FileManager.default.setAttributes([.modificationDate: date], ofItemAtPath: path)
    }

    @Test func `a second run in the same folder is refused at once and told by whom`() throws {
        let folder = try TemporaryFolder()
        let lock = try RunLock(folder.path, job: "77")
        let clock = ContinuousClock()
        let start = clock.now
        let error = #expect(throws: CheckpointError.self) { try RunLock(folder.path, takeover: true) }
        #expect(clock.now - start < .seconds(5))
        #expect(error?.reason == .locked)
        #expect(error?.found.contains("host \(ProcessIdentity.hostName), process \(getpid()), job 77") == true)
        try lock.release()
        _ = try RunLock(folder.path)
    }

    @Test func `a run that lives on another machine is refused, also with takeover`() throws {
        let folder = try TemporaryFolder()
        try Self.leave(Claim(), folder, secondsAgo: 120)
        for takeover in [false, true] {
            let error = #expect(throws: CheckpointError.self) { try RunLock(folder.path, takeover: takeover) }
            #expect(error?.description.contains("host node7, process 4321, job 1234") == true)
        }
    }

    @Test func `a silent run on another machine is followed with takeover only`() throws {
        let folder = try TemporaryFolder()
        try Self.leave(Claim(), folder, secondsAgo: 660)
        let error = #expect(throws: CheckpointError.self) { try RunLock(folder.path) }
        #expect(error?.hint.contains("--takeover") == true)
        #expect(try RunLock(folder.path, takeover: true).previous?.job == "1234")
    }

    /// The owner's clock was an hour ahead: its heartbeat lies in the future.
    @Test func `a heartbeat from the future is a living owner`() throws {
        let folder = try TemporaryFolder()
        try Self.leave(Claim(), folder, secondsAgo: -3600)
        #expect(throws: CheckpointError.self) { try RunLock(folder.path, takeover: true) }
    }

    @Test func `a dead process of this machine is followed without help`() throws {
        let folder = try TemporaryFolder()
        let mine = ProcessIdentity.current
        let reused = Claim(host: "here", pid: mine.pid, startTicks: mine.startTicks + 1, machine: mine.machine)
        try Self.leave(reused, folder, secondsAgo: 1)
        #expect(try RunLock(folder.path).previous?.pid == mine.pid)
        let gone = Claim(host: "here", pid: 1 << 23, startTicks: 5, machine: mine.machine)
        try Self.leave(gone, folder, secondsAgo: 1)
        #expect(try RunLock(folder.path).previous?.pid == 1 << 23)
    }

    @Test func `a run that was killed is followed without help`() async throws {
        let folder = try TemporaryFolder()
        await #expect(processExitsWith: .signal(SIGKILL)) { [path = folder.path as String] in
            let lock = try RunLock(path, job: "9")
            try lock.beat()
            kill(getpid(), SIGKILL)
        }
        let lock = try RunLock(folder.path)
        #expect(lock.previous?.job == "9" && lock.previous?.pid != Int(getpid()))
    }

    @Test(arguments: ["", "{", "\u{0}\u{0}"])
    func `a lock file without an owner does not stop a run`(_ text: String) throws {
        let folder = try TemporaryFolder()
        try write(Array(text.utf8), to: folder.path(of: "LOCK"))
        #expect(try RunLock(folder.path).previous == nil)
    }

    @Test func `an owner notices that it was taken over and leaves the other's lock alone`() throws {
        let folder = try TemporaryFolder()
        let lock = try RunLock(folder.path)
        try lock.beat()
        try Self.leave(Claim(), folder, secondsAgo: 0)
        let error = #expect(throws: CheckpointError.self) { try lock.beat() }
        #expect(error?.reason == .locked)
        try lock.release()
        #expect(FileStatus(folder.path(of: "LOCK")) != nil)
    }

    @Test func `a removed lock is noticed`() throws {
        let folder = try TemporaryFolder()
        let lock = try RunLock(folder.path)
        try removePath(folder.path(of: "LOCK"))
        #expect(throws: CheckpointError.self) { try lock.beat() }
    }

    @Test func `a heartbeat moves the time of the lock and not its text`() throws {
        let folder = try TemporaryFolder()
        let lock = try RunLock(folder.path)
        let path = folder.path(of: "LOCK")
        let text = try contents(path)
        try FileManager.default.setAttributes([.modificationDate: Date(timeIntervalSince1970: 9)], ofItemAtPath: path)
        try lock.beat()
        #expect(try contents(path) == text)
        #expect(FileStatus(path)?.modified ?? 0 >= lock.takenAt)
    }

    @Test func `leftovers older than the lock go, younger ones are only reported`() throws {
        let folder = try TemporaryFolder()
        let store = CheckpointStore(folder.path(of: "checkpoints"))
        let old = folder.path(of: "checkpoints/step-00000003.tmp")
        let young = folder.path(of: "checkpoints/step-00000004.tmp")
        let text = folder.path(of: "resolved.yaml.tmp")
        #expect(store.save(SampleRun.content(step: 1)).isSaved)
        for path in [old, young] { try Folder(path).create() }
        try write([1], to: old + "/model.safetensors")
        try write([1], to: text)
        for (path, seconds) in [(old, -60.0), (young, 60), (text, -60)] {
            let date = Date(timeIntervalSinceNow: seconds)
            try FileManager.default.setAttributes([.modificationDate: date], ofItemAtPath: path)
        }
        let lock = try RunLock(folder.path)
        var reported: [String: Bool] = [:]
        try store.removeJunk(olderThan: lock) { reported[$0] = $1 }
        #expect(reported == [old: true, young: false, text: true])
        #expect(FileStatus(old) == nil && FileStatus(young) != nil && FileStatus(text) == nil)
        #expect(try store.newestValid()?.step == 1)
    }
}
