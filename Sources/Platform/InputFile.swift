import Glibc
public import Kernels

/// A file read front to back with plain calls. Unlike a mapping, a disk fault is an error here and not a signal.
public final class InputFile {
    public let path: String
    public let bytes: Int
    private let descriptor: Int32

    public init(_ path: String) throws(FileError) {
        self.path = path
        descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw FileError(path: path, action: "open", code: errno) }
        var status = stat()
        let code = fstat(descriptor, &status) == 0 ? 0 : errno
        // A folder, FIFO or device could block the reader for ever.
        guard code == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw FileError(path: path, action: "read", code: code == 0 ? EINVAL : code)
        }
        bytes = Int(status.st_size)
        posix_fadvise(descriptor, 0, 0, POSIX_FADV_SEQUENTIAL)
    }

    deinit { close(descriptor) }

    /// Fills `buffer` with the next bytes and returns the filled part, which is shorter only at the end of the file.
    public func read(into buffer: Bytes) throws(FileError) -> Bytes {
        let count = readAll(descriptor, into: buffer)
        guard count >= 0 else { throw FileError(path: path, action: "read", code: errno) }
        return buffer[0..<count]
    }

    /// The whole of a small file; one above `limit` bytes is refused.
    public static func contents(_ path: String, limit: Int) throws(FileError) -> Bytes {
        let file = try InputFile(path)
        guard file.bytes <= limit else { throw FileError(path: path, action: "read \(file.bytes) bytes", code: EFBIG) }
        return try file.read(into: Bytes(zeros: file.bytes))
    }
}
