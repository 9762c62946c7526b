import Platform

/// The folder `checkpoints` of a run: `step-00001234/` each, the newest found by its number, never by a clock.
public struct CheckpointStore: Sendable {
    static let temporarySuffix = ".tmp"
    static let asideSuffix = ".old"
    private static let prefix = "step-"

    /// How long a failed save is tried again before the run goes on without it.
    public struct Retries: Sendable {
        public let count: Int
        /// Doubles with each try.
        public let firstWaitSeconds: Double

        public init(count: Int = 3, firstWaitSeconds: Double = 0.5) {
            self.count = count
            self.firstWaitSeconds = firstWaitSeconds
        }
    }

    /// Outcome of a save. A failure is no error: the run goes on, and its owner counts.
    public enum SaveOutcome: Sendable {
        /// `failures`: of the tries before. `removed`: steps that retention took away.
        case saved(path: String, bytes: Int, failures: [CheckpointError], removed: [Int])
        /// One error for each try; the older checkpoints stand.
        case failed([CheckpointError])
    }

    /// A folder that was found and what is wrong with it.
    public struct Rejected: Sendable {
        public let step: Int
        public let error: CheckpointError
    }

    public let path: String
    private let keepLast: Int
    private let permanentEvery: Int?
    private let folder: Folder

    /// - Parameters:
    ///   - path: need not exist yet.
    ///   - keepLast: how many of the newest stay.
    ///   - permanentEvery: steps whose number is a multiple stay for ever.
    public init(_ path: String, keepLast: Int = 3, permanentEvery: Int? = nil) {
        precondition(keepLast >= 1, "the newest checkpoint always stays")
        precondition(permanentEvery.map { $0 > 0 } ?? true, "permanent steps are multiples of a positive number")
        self.path = path
        self.keepLast = keepLast
        self.permanentEvery = permanentEvery
        folder = Folder(path)
    }

    static func folderName(_ step: Int) -> String {
        let digits = String(step)
        return prefix + String(repeating: "0", count: max(0, 8 - digits.count)) + digits
    }

    /// Steps that have a folder, ascending; whether it is valid is not looked at.
    public func steps() throws(CheckpointError) -> [Int] {
        var steps: [Int] = []
        for candidate in try candidates() where steps.last != candidate.step { steps.append(candidate.step) }
        return steps
    }

    /// The folders of all steps, ascending; whether they are valid is not looked at.
    public func folders() throws(CheckpointError) -> [String] { try candidates().map { folder.path(of: $0.name) } }

    /// The checkpoint of the highest step whose every byte is as it was written; nil in a folder without any.
    /// Damaged ones are skipped and reported in `rejected`; that all are damaged is an error, so that no run starts
    /// again from nothing unasked.
    public func newestValid(rejected: (Rejected) -> Void = { _ in }) throws(CheckpointError) -> Checkpoint? {
        let candidates = try candidates()
        for candidate in candidates.reversed() {
            do throws(CheckpointError) {
                let checkpoint = try Checkpoint(folder.path(of: candidate.name))
                guard checkpoint.step == candidate.step else {
                    throw CheckpointError(
                        .corrupt, at: checkpoint.path, found: "step \(checkpoint.step) in the manifest",
                        expected: "\(candidate.step)", hint: "the folder was renamed")
                }
                try checkpoint.verify()
                return checkpoint
            } catch { rejected(Rejected(step: candidate.step, error: error)) }
        }
        guard candidates.isEmpty else {
            throw CheckpointError(
                .corrupt, at: path, found: "\(candidates.count) checkpoints, none valid", expected: "a valid one",
                hint: "start in another run folder, or remove these")
        }
        return nil
    }

    /// The checkpoint of one step, every byte checked.
    public func checkpoint(ofStep step: Int) throws(CheckpointError) -> Checkpoint {
        let checkpoint = try Checkpoint(folder.path(of: Self.folderName(step)))
        try checkpoint.verify()
        return checkpoint
    }

    /// Writes a checkpoint, then removes what is past keeping. May be called from any thread, by one at a time.
    /// - Parameter best: a step that stays although others are newer.
    public func save(
        _ content: CheckpointContent, keeping best: Int? = nil, retries: Retries = Retries()
    ) -> SaveOutcome {
        var failures: [CheckpointError] = []
        var wait = retries.firstWaitSeconds
        while true {
            do {
                let bytes = try CheckpointWriter(folder: folder, content: content).write()
                let step = content.state.iteration
                return .saved(
                    path: folder.path(of: Self.folderName(step)), bytes: bytes, failures: failures,
                    removed: removeExpired(after: step, but: best))
            } catch { failures.append(error) }
            if failures.count > retries.count { return .failed(failures) }
            _ = Pause().wait(seconds: wait)
            wait *= 2
        }
    }

    /// Removes what killed saves left behind before `lock` was taken; younger leftovers are only reported, as they may
    /// belong to a writer that still lives.
    public func removeJunk(olderThan lock: RunLock, report: (_ path: String, _ wasRemoved: Bool) -> Void)
        throws(CheckpointError)
    {
        do {
            for parent in [folder, lock.folder] {
                for name in try parent.names() where name.hasSuffix(Self.temporarySuffix) {
                    let path = parent.path(of: name)
                    guard let status = FileStatus(path) else { continue }
                    let isOld = status.modified < lock.takenAt
                    if isOld { try removePath(path) }
                    report(path, isOld)
                }
            }
        } catch { throw CheckpointError(writing: error) }
    }

    /// Folders in the order of their steps; an older save of the same step that stepped aside comes before its successor.
    private func candidates() throws(CheckpointError) -> [(step: Int, name: String)] {
        let names: [String]
        do { names = try folder.names() } catch { throw CheckpointError(reading: error) }
        var found: [(step: Int, isAside: Bool, name: String)] = []
        for name in names {
            let isAside = name.hasSuffix(Self.asideSuffix)
            let stem = isAside ? String(name.dropLast(Self.asideSuffix.count)) : name
            guard stem.hasPrefix(Self.prefix), let step = Int(stem.dropFirst(Self.prefix.count)), step >= 0,
                stem == Self.folderName(step)
            else { continue }
            found.append((step, isAside, name))
        }
        found.sort { $0.step < $1.step || $0.step == $1.step && $0.isAside && !$1.isAside }
        return found.map { ($0.step, $0.name) }
    }

    /// Only steps up to the one just saved are counted: a higher number is a damaged one that was skipped.
    private func removeExpired(after saved: Int, but best: Int?) -> [Int] {
        let steps = ((try? steps()) ?? []).filter { $0 <= saved }
        return steps.dropLast(keepLast).filter { step in
            if step == best { return false }
            if let permanentEvery, step % permanentEvery == 0 { return false }
            let final = folder.path(of: Self.folderName(step))
            do throws(FileError) {
                // Renamed first, so that a kill in between leaves junk and not a damaged checkpoint.
                try removePath(final + Self.temporarySuffix)
                try renamePath(final, to: final + Self.temporarySuffix)
                try removePath(final + Self.temporarySuffix)
                return true
            } catch { return false }
        }
    }
}
