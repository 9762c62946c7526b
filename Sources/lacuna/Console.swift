import Cluster
import FoundationEssentials
import Platform
import Training

/// Speaks to the person at the terminal, or to the log file that stands there instead.
struct Console: RunSpeaker {
    let isHeard: Bool
    private let isTerminal = hasTerminal()

    init(isHeard: Bool) { self.isHeard = isHeard }

    func say(_ line: String) {
        guard isHeard else { return }
        clear()
        writeOutput(line + "\n")
    }

    func warn(_ line: String) {
        guard isHeard else { return }
        clear()
        writeError("warning: " + line)
    }

    func warnFromAnyRank(_ line: String) { writeError("warning: " + line) }

    /// On a terminal the progress line is written over itself.
    func show(_ line: String) {
        guard isHeard else { return }
        clear()
        writeOutput(isTerminal ? line : line + "\n")
    }

    /// Ends the progress line.
    func finish() { if isHeard && isTerminal { writeOutput("\n") } }

    private func clear() { if isTerminal { writeOutput("\r\u{1B}[K") } }
}

/// True when lines can be written over themselves. mpirun gives its ranks a terminal of their own, whatever its own output is.
func hasTerminal() -> Bool {
    isTerminalOutput() && !LaunchEnvironment(ProcessInfo.processInfo.environment).isLaunched
}
