import Glibc

/// Writes text to standard output at once, so that a pipe or a log file sees it when it is said.
public func writeOutput(_ text: String) {
    var text = text
    text.withUTF8 { _ = writeAll(STDOUT_FILENO, UnsafeRawBufferPointer($0)) }
}

/// True when standard output is a terminal.
public func isTerminalOutput() -> Bool { isatty(STDOUT_FILENO) == 1 }

/// A file over the size limit shall give a write error, not end the process.
public func ignoreFileSizeSignal() { signal(SIGXFSZ, SIG_IGN) }
