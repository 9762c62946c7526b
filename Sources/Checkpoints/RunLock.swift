import FoundationEssentials
public import Platform

/// The file `LOCK` of a run folder: one run at a time, and everybody can read whose.
public final class RunLock: Sendable {
    /// Who holds a run folder.
    public struct Owner: Codable, Equatable, Sendable, CustomStringConvertible {
        public let host: String
        public let pid: Int
        public let startTicks: UInt64
        public let machine: String
        /// Job number of the batch system; empty without one.
        public let job: String
        /// Tells two owners apart whatever else agrees.
        public let token: UInt64

        public var description: String {
            "host \(host), process \(pid)" + (job.isEmpty ? "" : ", job \(job)")
        }

        /// Whether the process lives; nil where this machine cannot know.
        public var isAlive: Bool? { ProcessIdentity(pid: pid, startTicks: startTicks, machine: machine).isAlive }
    }

    /// Silence after which an owner on another machine may be called dead. `beat` is due several times in it.
    public static let silenceSeconds = 600.0
    private static let name = "LOCK"

    public let owner: Owner
    /// The dead owner whose folder this was; worth a line in the log.
    public let previous: Owner?
    /// The run folder.
    public let folder: Folder
    /// When the lock was taken, on the clock of the file system; compare with `FileStatus.modified`.
    public let takenAt: Int
    private let file: LockFile

    /// Takes the folder, which is made if it is missing. A process that is surely dead is followed without question.
    /// One elsewhere whose heartbeat stopped is followed only with `takeover`: it may be the network that stopped.
    /// - Parameter job: number of the batch job, for the next one's message.
    public init(_ folder: String, job: String = "", takeover: Bool = false) throws(CheckpointError) {
        self.folder = Folder(folder)
        let path = self.folder.path(of: Self.name)
        do {
            try self.folder.create()
            guard let file = try LockFile.take(path) else {
                throw Self.refusal(path, Self.readOwner(path), "it is alive")
            }
            let previous = Self.readOwner(path)
            if let previous { try Self.checkDead(previous, path, takeover: takeover) }
            let process = ProcessIdentity.current
            let owner = Owner(
                host: ProcessIdentity.hostName, pid: process.pid, startTicks: process.startTicks,
                machine: process.machine, job: job, token: UInt64.random(in: 0...UInt64.max))
            try file.write(String(decoding: try encoded(owner), as: UTF8.self))
            self.file = file
            self.owner = owner
            self.previous = previous
            takenAt = file.status?.modified ?? 0
        } catch { throw CheckpointError(saving: error, at: path) }
    }

    /// Says that the owner lives, and finds out whether the lock is still its own. To be called every minute or so.
    public func beat() throws(CheckpointError) {
        let path = file.path
        guard file.isNamed, Self.readOwner(path)?.token == owner.token else {
            throw CheckpointError(
                .locked, at: path, found: Self.readOwner(path)?.description ?? "no lock", expected: owner.description,
                hint: "another run took this folder over; this one must stop")
        }
        do { try file.touch() } catch { throw CheckpointError(writing: error) }
    }

    /// Gives the folder up. Without it the next run finds a dead owner, which is as good.
    public func release() throws(CheckpointError) {
        guard Self.readOwner(file.path)?.token == owner.token else { return }
        do { try file.remove() } catch { throw CheckpointError(writing: error) }
    }

    /// For onlookers: who holds a run folder, or held it last without giving it up; nil for nobody.
    public static func owner(of folder: String) -> Owner? { readOwner(Folder(folder).path(of: name)) }

    /// For onlookers: nanoseconds since 1970 at the last heartbeat, on the clock of the file system.
    public static func lastBeat(of folder: String) -> Int? { FileStatus(Folder(folder).path(of: name))?.modified }

    /// Nil for an empty or unreadable text: its writer was killed between making the file and writing it.
    private static func readOwner(_ path: String) -> Owner? {
        guard let text = try? LockFile.text(path) else { return nil }
        return try? JSONDecoder().decode(Owner.self, from: Data(text.utf8))
    }

    private static func checkDead(_ owner: Owner, _ path: String, takeover: Bool) throws(CheckpointError) {
        if let isAlive = owner.isAlive {
            if isAlive { throw refusal(path, owner, "it is alive") }
            return
        }
        guard let silence = silence(path) else { throw refusal(path, owner, "its heartbeat cannot be read") }
        let seconds = Int(silence)
        if silence <= silenceSeconds { throw refusal(path, owner, "its heartbeat is \(seconds) s old") }
        if !takeover { throw refusal(path, owner, "its heartbeat is \(seconds) s old: --takeover if it is gone") }
    }

    /// Seconds since the last heartbeat. Both times are the file system's own, so that clocks of hosts do not matter: a
    /// file made now tells what the time is there.
    private static func silence(_ path: String) -> Double? {
        guard let beat = FileStatus(path)?.modified else { return nil }
        let probe = path + ".probe.\(ProcessIdentity.current.pid).tmp"
        defer { try? removePath(probe) }
        guard (try? OutputFile(creating: probe).commit()) != nil, let now = FileStatus(probe)?.modified else {
            return nil
        }
        return Double(now - beat) / 1e9
    }

    private static func refusal(_ path: String, _ owner: Owner?, _ hint: String) -> CheckpointError {
        CheckpointError(
            .locked, at: path, found: "the run folder of \(owner?.description ?? "a process that is just starting")",
            expected: "a folder without a running owner", hint: hint)
    }
}
