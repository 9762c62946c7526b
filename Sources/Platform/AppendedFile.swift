import Glibc

/// A file that grows at its end with plain system calls: logs. Nothing is buffered, so that a killed process loses
/// at most the line that it was writing.
public final class AppendedFile {
    public let path: String
    /// Bytes written so far, counted from the start of the file.
    public private(set) var position: Int
    private let descriptor: Int32

    /// Opens or creates the file.
    /// - Parameter limit: bytes to keep of what is there; nil keeps everything.
    public init(_ path: String, cutAt limit: Int? = nil) throws(FileError) {
        self.path = path
        descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw FileError(path: path, action: "open", code: errno) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            let code = errno
            close(descriptor)
            throw FileError(path: path, action: "stat", code: code)
        }
        position = Int(status.st_size)
        guard let limit, limit < position else { return }
        guard ftruncate(descriptor, off_t(limit)) == 0 else {
            let code = errno
            close(descriptor)
            throw FileError(path: path, action: "cut", code: code)
        }
        position = limit
    }

    deinit { close(descriptor) }

    public func append(_ bytes: [UInt8]) throws(FileError) {
        let written = bytes.withUnsafeBytes { writeAll(descriptor, $0) }
        position += written
        guard written == bytes.count else { throw FileError(path: path, action: "append to", code: errno) }
    }
}
