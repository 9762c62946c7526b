import Checkpoints
import FoundationEssentials
import Messages

/// How far a run is, and whether it still goes on.
struct RunStanding: Sendable {
    enum State: Equatable, Sendable {
        case finished
        case running
        /// On a machine that cannot be asked, without a heartbeat for so many seconds.
        case silent(seconds: Double)
        case stopped
    }

    let state: State
    /// Steps done, as far as log and checkpoints tell.
    let step: Int
    /// Updates of the whole run; nil where nothing tells it.
    let total: Int?
    /// Seconds of training, up to the last line of the log; nil without any.
    let seconds: Double?
    /// Seconds from the last line of the log to the end at the pace of the last lines; nil unless the run goes on.
    let secondsLeft: Double?

    /// - Parameter now: seconds since 1970.
    init(_ run: ReportedRun, now: Double) {
        let last = run.metrics.intervals.last
        let logged = run.metrics.intervals.last { $0["seconds"] != nil }
        step = max(last?.step ?? 0, run.newestState?.iteration ?? 0)
        total = Self.total(run)
        seconds = logged?["seconds"]
        if let total, step >= total {
            state = .finished
        } else {
            state = Self.state(run.path, now: now)
        }
        guard state == .running, let total, let pace = Self.secondsPerStep(run.metrics) else {
            secondsLeft = nil
            return
        }
        secondsLeft = pace * (Double(total) - Double(step))
    }

    var text: String {
        switch state {
        case .finished: "finished"
        case .running: "in progress"
        case .silent(let seconds): "no sign of life for \(Int(seconds)) s"
        case .stopped: "stopped"
        }
    }

    /// As the run itself wrote it down, else from its recipe and the number of its samples.
    private static func total(_ run: ReportedRun) -> Int? {
        if let written = run.environment["updates"]?.integer ?? run.setting("schedule.updates").flatMap({ Int($0) }) {
            return written
        }
        guard let epochs = run.setting("schedule.epochs").flatMap({ Int($0) }),
            let batch = run.setting("batch.global").flatMap({ Int($0) }), batch > 0,
            let samples = run.newestState?.data.counts["samples"]
        else { return nil }
        let (total, isTooLarge) = epochs.multipliedReportingOverflow(by: max(1, samples / batch))
        return isTooLarge ? nil : total
    }

    private static func state(_ folder: String, now: Double) -> State {
        guard let owner = RunLock.owner(of: folder) else { return .stopped }
        if let isAlive = owner.isAlive { return isAlive ? .running : .stopped }
        let silence = RunLock.lastBeat(of: folder).map { now - Double($0) / 1e9 } ?? 0
        return silence <= RunLock.silenceSeconds ? .running : .silent(seconds: silence)
    }

    /// Over the last lines, so that one slow interval does not decide.
    private static func secondsPerStep(_ metrics: MetricsLog) -> Double? {
        let recent = metrics.intervals.suffix(20).filter { $0["seconds"] != nil }
        guard let first = recent.first, let last = recent.last, last.step > first.step,
            let start = first["seconds"], let end = last["seconds"], end > start
        else { return nil }
        return (end - start) / Double(last.step - first.step)
    }
}
