import CKernels
import Synchronization

/// The only compute threads of the process. Work is cut by size: the cuts depend on the row count and the grain,
/// never on the number of threads, so a result has the same bits on any of them.
public final class WorkerPool: Sendable {
    public let threads: Int
    public let level: InstructionLevel
    /// The C kernels of `level`, for the faces in this module.
    nonisolated(unsafe) let kernels: UnsafePointer<ck_table>
    private let shared: Shared
    private let workers: [Thread]

    /// - Parameters:
    ///   - threads: compute threads including the caller's.
    ///   - level: at most the level that this processor runs.
    public init(threads: Int, level: InstructionLevel = .detected) {
        precondition(threads >= 1, "a pool has at least the caller's thread")
        precondition(level <= .detected, "this processor does not run level \(level)")
        self.threads = threads
        self.level = level
        kernels = level.table
        WorkerPool.holdLibraryToOneThread()
        let shared = Shared()
        self.shared = shared
        workers = (1..<threads).map { index in Thread("worker \(index)") { shared.work() } }
    }

    deinit {
        shared.stop()
        for worker in workers { worker.join() }
    }

    /// Calls `body` once per chunk of at most `grain` rows, on all threads, and returns when every chunk is done.
    /// Hands the body what it needs in `arguments`: a closure that captures nothing costs no allocation.
    /// It is not reentrant: a body must not split again.
    @inlinable public func split<Arguments>(
        _ rows: Int, grain: Int, _ arguments: Arguments,
        _ body: @escaping @Sendable (Arguments, Range<Int>) -> Void
    ) {
        precondition(grain > 0, "a chunk has at least one row")
        let chunks = (rows + grain - 1) / grain
        if threads == 1 || chunks <= 1 {
            for chunk in 0..<chunks { body(arguments, chunk * grain..<min(rows, (chunk + 1) * grain)) }
            return
        }
        let job = Job(arguments: arguments, body: body, rows: rows, grain: grain)
        withUnsafePointer(to: job) { run(UnsafeRawPointer($0), Job<Arguments>.self, chunks: chunks) }
    }

    @usableFromInline func run(_ job: UnsafeRawPointer, _ kind: any AnyJob.Type, chunks: Int) {
        shared.run(job, kind, chunks: chunks, helpers: workers.count)
    }
}

@usableFromInline protocol AnyJob {
    static func run(_ job: UnsafeRawPointer, chunk: Int)
}

@usableFromInline struct Job<Arguments>: AnyJob {
    @usableFromInline let arguments: Arguments
    @usableFromInline let body: @Sendable (Arguments, Range<Int>) -> Void
    @usableFromInline let rows: Int
    @usableFromInline let grain: Int

    @inlinable init(
        arguments: Arguments, body: @escaping @Sendable (Arguments, Range<Int>) -> Void, rows: Int, grain: Int
    ) {
        self.arguments = arguments
        self.body = body
        self.rows = rows
        self.grain = grain
    }

    @inlinable static func run(_ job: UnsafeRawPointer, chunk: Int) {
        let job = job.assumingMemoryBound(to: Self.self)
        let (rows, grain) = (job.pointee.rows, job.pointee.grain)
        job.pointee.body(job.pointee.arguments, chunk * grain..<min(rows, (chunk + 1) * grain))
    }
}

/// One job at a time: the caller publishes it with a new round number, helpers take chunks from a counter, and the
/// caller returns when every helper has left the round.
private final class Shared: @unchecked Sendable {
    private var job: UnsafeRawPointer?
    private var kind: (any AnyJob.Type)?
    private var chunks = 0
    private let next = Atomic<Int>(0)
    private let busy = Atomic<Int>(0)
    private let round = Atomic<Int>(0)
    private let sleepers = Monitor<Int>(0)
    /// Looks before a helper sleeps: waking it costs more than a short wait, and operations follow each other closely.
    private let spins = 4_000

    func run(_ job: UnsafeRawPointer, _ kind: any AnyJob.Type, chunks: Int, helpers: Int) {
        self.job = job
        self.kind = kind
        self.chunks = chunks
        next.store(0, ordering: .relaxed)
        busy.store(helpers, ordering: .relaxed)
        round.add(1, ordering: .sequentiallyConsistent)
        sleepers.update { _ in }
        takeChunks()
        var spun = 0
        while busy.load(ordering: .acquiring) > 0 {
            spun += 1
            if spun < spins { ck_pause() } else { yieldProcessor() }
        }
    }

    func work() {
        var seen = 0
        while true {
            let current = waitForRound(after: seen)
            if current < 0 { return }
            seen = current
            takeChunks()
            busy.subtract(1, ordering: .releasing)
        }
    }

    func stop() {
        round.store(-1, ordering: .sequentiallyConsistent)
        sleepers.update { _ in }
    }

    private func takeChunks() {
        guard let job, let kind else { return }
        while true {
            let chunk = next.add(1, ordering: .relaxed).oldValue
            if chunk >= chunks { return }
            kind.run(job, chunk: chunk)
        }
    }

    private func waitForRound(after seen: Int) -> Int {
        for _ in 0..<spins {
            let current = round.load(ordering: .acquiring)
            if current != seen { return current }
            ck_pause()
        }
        return sleepers.update(when: { _ in self.round.load(ordering: .acquiring) != seen }) { _ in
            self.round.load(ordering: .acquiring)
        }
    }
}
