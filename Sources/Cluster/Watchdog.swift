import Kernels
public import Platform

/// The present work of a rank; part of the message when it stalls.
public enum Phase: UInt64, Sendable, CaseIterable {
    case starting, reading, forward, backward, exchange, update, checkpoint, evaluation, finishing
}

/// Ends a job in which nothing goes on any more: a rank that hangs would otherwise hold all the others for ever.
/// The trainer says which phase it enters; a thread looks once a second, at the ranks of its own node through shared
/// memory and at other nodes through messages that nobody waits for.
public final class Watchdog: Sendable {
    private let patrol: Patrol
    private let thread: Thread

    /// - Parameters:
    ///   - communicator: the one that the trainer itself calls; close the watchdog before it is finished.
    ///   - deadlineSeconds: a phase without a deadline of its own may last so long.
    ///   - stop: after SIGTERM a job without progress is given up early: a launcher sends it when a rank has died.
    ///   - act: the action when it is over; the default prints the text and ends the process with code 76.
    public init(
        _ communicator: any Communicator, deadlineSeconds: Double = 600, stop: StopRequest? = nil,
        act: @escaping @Sendable (String) -> Void = { text in
            writeError(text)
            exitAtOnce(76)
        }
    ) {
        let patrol = Patrol(communicator, deadlineSeconds: deadlineSeconds, stop: stop, act: act)
        self.patrol = patrol
        patrol.enter(.starting, step: 0, deadlineSeconds: nil)
        thread = Thread("watchdog") { patrol.work() }
    }

    deinit {
        patrol.pause.end()
        thread.join()
    }

    /// Says that this rank goes on. Costs two clock reads; call it at every phase of every step.
    /// - Parameter deadlineSeconds: how long this phase may last when it is not an ordinary one, such as writing a
    ///   checkpoint to a slow disk.
    public func enter(_ phase: Phase, step: Int, deadlineSeconds: Double? = nil) {
        patrol.enter(phase, step: step, deadlineSeconds: deadlineSeconds)
    }

    /// Ends the watch, before the group is finished.
    public func close() {
        patrol.pause.end()
        patrol.ended.update(when: { $0 }) { _ in }
    }
}

private final class Patrol: @unchecked Sendable {
    let pause = Pause()
    let ended = Monitor(false)
    private let communicator: any Communicator
    private let deadline: UInt64
    private let stop: StopRequest?
    private let act: @Sendable (String) -> Void
    private let tickSeconds: Double
    private let own: Heartbeat
    private let launcher = ProcessIdentity.parent
    /// The ranks of other nodes by number.
    private var others: [Int: Remote] = [:]
    private let table: Buffer<UInt64>
    /// The longest time between two signs of progress so far, in nanoseconds.
    private var longestGap: UInt64 = 0

    /// A rank of another node as last heard; times are in the clock of this node.
    private struct Remote {
        let heartbeat: Heartbeat
        /// The rank that speaks for its node.
        let speaker: Int
        let heard: UInt64
    }

    init(
        _ communicator: any Communicator, deadlineSeconds: Double, stop: StopRequest?,
        act: @escaping @Sendable (String) -> Void
    ) {
        (self.communicator, self.stop, self.act) = (communicator, stop, act)
        deadline = UInt64(deadlineSeconds * 1e9)
        tickSeconds = min(1, deadlineSeconds / 10)
        own = communicator.node.heartbeats[communicator.localRank]
        table = Buffer(zeros: communicator.localSize * Heartbeat.words)
        own.rank = communicator.rank
    }

    func enter(_ phase: Phase, step: Int, deadlineSeconds: Double?) {
        let now = MonotonicTime.nanoseconds
        if own.progress > 0 { longestGap = max(longestGap, now - own.progress) }
        own.allowance = deadlineSeconds.map { UInt64($0 * 1e9) } ?? deadline
        own.phase = phase.rawValue
        own.step = UInt64(step)
        own.alive = now
        own.progress = now
    }

    func work() {
        while !pause.wait(seconds: tickSeconds) {
            let now = MonotonicTime.nanoseconds
            own.alive = now
            // A killed mpirun takes nobody along by itself, and there is nobody left who would end the others.
            if communicator.size > 1 && ProcessIdentity.parent != launcher {
                act("rank \(communicator.rank) on \(communicator.host): the launcher is gone, this rank gives up")
                break
            }
            hearOtherNodes(now)
            if let text = trouble(now) {
                // The first healthy rank speaks; the others give it time, and speak if it does not end the job.
                if pause.wait(seconds: Double(speakersBefore(now))) { break }
                act(text)
                break
            }
        }
        ended.update { $0 = true }
    }

    private var local: [Heartbeat] { communicator.node.heartbeats }

    /// The trouble found, in words; nil while the job goes on.
    private func trouble(_ now: UInt64) -> String? {
        let gone = local.indices.filter { $0 != communicator.localRank && communicator.node.isGone(localRank: $0) }
        if !gone.isEmpty {
            let names = gone.map { name(local[$0]) }.joined(separator: ", ")
            return "\(names): the process is gone; rank \(communicator.rank) gives up"
        }
        let all = (local + heardOf(now)).filter { !$0.hasLeft && $0.progress > 0 }
        let late = all.filter { lateness(of: $0, now) != nil }
        if late.isEmpty { return nil }
        // A rank that waits for others is not the one to name, unless all do.
        let stopped = late.filter { isStopped($0, now) }
        let busy = late.filter { !isWaiting($0) }
        if stopped.isEmpty && busy.isEmpty && late.count < all.count { return nil }
        let culprits = (stopped.isEmpty ? (busy.isEmpty ? late : busy) : stopped).sorted { $0.rank < $1.rank }
        let lines = culprits.map { rank in
            let phase = Phase(rawValue: rank.phase).map { "\($0)" } ?? "?"
            let state = isStopped(rank, now) ? "no sign of life, last seen in" : "no progress in"
            return "\(name(rank)): \(state) \(phase) of step \(rank.step) for \(seconds(now, since: rank.progress)) s"
        }
        return lines.joined(separator: "\n") + "\nrank \(communicator.rank) on \(communicator.host) gives up"
    }

    /// Nanoseconds since the last progress, when there are more than allowed.
    private func lateness(of rank: Heartbeat, _ now: UInt64) -> UInt64? {
        let age = now - min(now, rank.progress)
        var allowed = rank.allowance
        if stop?.isTermination ?? false {
            // Enough for a step and, by its own deadline, for the checkpoint that a preempted job still writes.
            let isOrdinary = rank.allowance <= deadline
            if isOrdinary { allowed = min(allowed, max(10_000_000_000, 3 * longestGap)) }
        }
        return age > allowed ? age : nil
    }

    /// Ranks of other nodes. Of a node that has fallen silent only the speaker counts: of the rest nothing is known.
    private func heardOf(_ now: UInt64) -> [Heartbeat] {
        others.values.filter { now - min(now, $0.heard) < silence || $0.heartbeat.rank == $0.speaker }.map(\.heartbeat)
    }

    /// The longest time that a living rank can be without a sign of life, in nanoseconds.
    private var silence: UInt64 { UInt64(max(5 * tickSeconds, 0.5) * 1e9) }

    private func isStopped(_ rank: Heartbeat, _ now: UInt64) -> Bool {
        now - min(now, rank.alive) > silence
    }

    private func isWaiting(_ rank: Heartbeat) -> Bool { rank.isWaiting || rank.phase == Phase.exchange.rawValue }

    private func speakersBefore(_ now: UInt64) -> Int {
        local.prefix(communicator.localRank).filter { !isStopped($0, now) && !$0.hasLeft }.count
    }

    private func name(_ rank: Heartbeat) -> String {
        "rank \(rank.rank) on \(communicator.hosts[max(0, rank.rank)])"
    }

    /// Tells the other nodes of this one and hears of them. Times travel as ages, because clocks differ.
    private func hearOtherNodes(_ now: UInt64) {
        guard let news = communicator.node.news else { return }
        for (index, heartbeat) in local.enumerated() {
            let row = Heartbeat(at: table[index * Heartbeat.words..<(index + 1) * Heartbeat.words])
            row.copy(from: heartbeat)
            row.alive = now - min(now, heartbeat.alive)
            row.progress = heartbeat.progress == 0 ? .max : now - min(now, heartbeat.progress)
        }
        news.exchange(table.viewed(as: UInt8.self)) { bytes in
            let words = bytes.viewed(as: UInt64.self)
            for start in stride(from: 0, to: words.count, by: Heartbeat.words) {
                let row = Heartbeat(at: words[start..<start + Heartbeat.words])
                guard row.rank >= 0 else { continue }
                let rank = others[row.rank]?.heartbeat ?? Heartbeat(at: Buffer(zeros: Heartbeat.words))
                rank.copy(from: row)
                rank.alive = now - min(now, row.alive)
                rank.progress = row.progress == .max ? 0 : now - min(now, row.progress)
                others[row.rank] = Remote(
                    heartbeat: rank, speaker: Heartbeat(at: words[0..<Heartbeat.words]).rank, heard: now)
            }
        }
    }
}

private func seconds(_ now: UInt64, since then: UInt64) -> Int { Int((now - min(now, then)) / 1_000_000_000) }
