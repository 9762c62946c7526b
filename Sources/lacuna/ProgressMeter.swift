import Kernels
import Platform
import Training

/// The line that tells how far a long task over many things is: written over itself on a terminal, and every ten
/// seconds elsewhere.
final class ProgressMeter: Sendable {
    private struct State {
        var shown: Double
        var hasLine = false
    }
    private let task, unit: String
    private let start = MonotonicTime.now
    private let isTerminal: Bool
    private let isBesideResult: Bool
    private let state: Monitor<State>

    /// - Parameters:
    ///   - task: what is being done, a word.
    ///   - unit: what is counted, in the plural.
    ///   - isBesideResult: standard output is for the result alone; plain lines go where errors go.
    init(_ task: String, _ unit: String, isBesideResult: Bool = false) {
        (self.task, self.unit, self.isBesideResult) = (task, unit, isBesideResult)
        isTerminal = hasTerminal() && !isBesideResult
        state = Monitor(State(shown: start))
    }

    /// May be called from any thread and at any rate.
    func show(_ done: Int, of total: Int) {
        let now = MonotonicTime.now
        state.update { state in
            guard now - state.shown > (isTerminal ? 0.2 : 10) else { return }
            state.shown = now
            state.hasLine = true
            let line = line(done, of: total, seconds: now - start)
            if isBesideResult { return writeError(line) }
            writeOutput(isTerminal ? "\r\u{1B}[K" + line : line + "\n")
        }
    }

    /// Takes the line off the terminal.
    func finish() {
        state.update { state in
            if isTerminal && state.hasLine { writeOutput("\r\u{1B}[K") }
            state.hasLine = false
        }
    }

    private func line(_ done: Int, of total: Int, seconds: Double) -> String {
        let rate = Double(done) / seconds
        let left = done > 0 ? clock(Double(total - done) / rate) : "-"
        return "\(task)  \(done)/\(total) \(unit)  \(fixed(rate, digits: rate < 100 ? 1 : 0))/s  ETA \(left)"
    }
}
