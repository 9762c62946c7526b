import Glibc
import Kernels

/// A small file that one process holds: the system's advisory lock while it lives, and a text that names the holder.
/// The lock falls with the process; where a file system shares no locks between hosts, only the text speaks.
public final class LockFile: @unchecked Sendable {
    public let path: String
    private let descriptor: Int32
    private static let capacity = 4096

    /// Opens or makes the file and tries for the lock. Nil if another process holds it.
    public static func take(_ path: String) throws(FileError) -> LockFile? {
        // The holder removes its file when it ends, and a lock on a removed file locks nothing.
        for _ in 0..<100 {
            let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
            guard descriptor >= 0 else { throw FileError(path: path, action: "create", code: errno) }
            let file = LockFile(path, descriptor)
            if flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
                if errno == EWOULDBLOCK { return nil }
                // Some cluster file systems have no locks; the text is then the only guard.
                guard [ENOSYS, ENOLCK, EOPNOTSUPP].contains(errno) else {
                    throw FileError(path: path, action: "lock", code: errno)
                }
            }
            if file.isNamed { return file }
        }
        throw FileError(path: path, action: "lock", code: EAGAIN)
    }

    private init(_ path: String, _ descriptor: Int32) {
        self.path = path
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    /// Whether the path still leads to this file.
    public var isNamed: Bool { status.map { $0.identity == FileStatus(path)?.identity } ?? false }

    /// Time at which the file was last written or touched, on the clock of the file system.
    public var status: FileStatus? {
        var status = stat()
        return fstat(descriptor, &status) == 0 ? FileStatus(status) : nil
    }

    /// Writes the text in one call, padded, so that a reader never sees half of it.
    public func write(_ text: String) throws(FileError) {
        var bytes = Array(text.utf8)
        precondition(bytes.count < Self.capacity, "the text of a lock is short")
        bytes += [UInt8](repeating: UInt8(ascii: "\n"), count: Self.capacity - bytes.count)
        let count = pwrite(descriptor, bytes, bytes.count, 0)
        guard count == bytes.count, fsync(descriptor) == 0 else {
            throw FileError(path: path, action: "write", code: count < 0 ? errno : EIO)
        }
    }

    /// The text that the file holds under its name, whoever wrote it; empty for a new file.
    public static func text(_ path: String) throws(FileError) -> String {
        let bytes = try InputFile.contents(path, limit: capacity)
        let end = bytes.array.lastIndex { $0 != UInt8(ascii: "\n") }
        return String(decoding: bytes.array[..<(end.map { $0 + 1 } ?? 0)], as: UTF8.self)
    }

    /// Sets the time of the file to now, on the clock of the file system.
    public func touch() throws(FileError) {
        guard futimens(descriptor, nil) == 0 else { throw FileError(path: path, action: "touch", code: errno) }
    }

    /// Gives the lock up and removes the file.
    public func remove() throws(FileError) {
        guard isNamed else { return }
        guard unlink(path) == 0 else { throw FileError(path: path, action: "remove", code: errno) }
    }
}
