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
