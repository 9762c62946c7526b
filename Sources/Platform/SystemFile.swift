import Glibc
import Kernels

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
