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

/// Lines of text whose columns stand under each other.
struct Table {
    private var rows: [[String]] = []
    /// Columns of numbers end under each other.
    private let numbers: Set<Int>

    init(numbers: Set<Int> = []) { self.numbers = numbers }

    mutating func add(_ row: String...) { rows.append(row) }

    /// Ends with a line break.
    var text: String {
        let columns = rows.map(\.count).max() ?? 0
        let widths = (0..<columns).map { column in rows.map { $0.count > column ? $0[column].count : 0 }.max() ?? 0 }
        return rows.map { row in
            var line = " "
            for (column, cell) in row.enumerated() {
                let space = String(repeating: " ", count: widths[column] - cell.count)
                line += (column == 0 ? " " : "  ") + (numbers.contains(column) ? space + cell : cell + space)
            }
            while line.last == " " { line.removeLast() }
            return line + "\n"
        }.joined()
    }
}
