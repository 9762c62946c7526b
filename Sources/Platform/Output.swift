import Glibc

/// Writes text to standard output at once, so that a pipe or a log file sees it when it is said.
public func writeOutput(_ text: String) {
    var text = text
    text.withUTF8 { bytes in
        var done = 0
        while let start = bytes.baseAddress, done < bytes.count {
            let written = write(STDOUT_FILENO, start + done, bytes.count - done)
            if written < 0, errno != EINTR { return }
            done += max(0, written)
        }
    }
}

/// True when standard output is a terminal.
public func isTerminalOutput() -> Bool { isatty(STDOUT_FILENO) == 1 }

/// A file over the size limit shall give a write error, not end the process.
public func ignoreFileSizeSignal() { signal(SIGXFSZ, SIG_IGN) }
