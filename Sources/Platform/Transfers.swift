import Glibc
import Kernels

// The system may move fewer bytes than asked, and a signal may interrupt it: these go on until all is done.

/// Reads until `bytes` is full or nothing comes. Returns the number read, or -1 with `errno` set like `read`.
func readAll(_ descriptor: Int32, into bytes: Bytes) -> Int {
    var done = 0
    while done < bytes.count {
        let count = read(descriptor, bytes.pointer + done, bytes.count - done)
        if count < 0 && errno == EINTR { continue }
        if count <= 0 { return count < 0 ? -1 : done }
        done += count
    }
    return done
}

/// Returns the number of bytes written; where it is less than all of them, `errno` says why.
func writeAll(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Int {
    var done = 0
    while let start = bytes.baseAddress, done < bytes.count {
        let count = write(descriptor, start + done, bytes.count - done)
        if count < 0 && errno == EINTR { continue }
        if count < 0 { break }
        done += count
    }
    return done
}

/// The beginning of a small file of the system, such as those under /proc and /sys, which say 0 bytes of themselves;
/// nil where there is none.
public func systemText(_ path: String) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    let bytes = Bytes(zeros: 8192)
    let count = readAll(descriptor, into: bytes)
    return count < 0 ? nil : String(decoding: bytes[0..<count].array, as: UTF8.self)
}

/// Writes text to standard output at once, so that a pipe or a log file sees it when it is said.
public func writeOutput(_ text: String) {
    var text = text
    text.withUTF8 { _ = writeAll(STDOUT_FILENO, UnsafeRawBufferPointer($0)) }
}

/// True when standard output is a terminal.
public func isTerminalOutput() -> Bool { isatty(STDOUT_FILENO) == 1 }
