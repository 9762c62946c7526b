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

/// A file mapped read-only into memory. The mapping lives as long as any slice of `bytes`.
public final class MappedFile: @unchecked Sendable {
    private let base: UnsafeMutableRawPointer?
    private let size: Int
    public let path: String

    public init(_ path: String) throws(FileError) {
        self.path = path
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw FileError(path: path, action: "open", code: errno) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw FileError(path: path, action: "stat", code: errno) }
        // A directory, FIFO or device has no size to map and could block the reader for ever.
        guard status.st_mode & S_IFMT == S_IFREG else { throw FileError(path: path, action: "map", code: EINVAL) }
        size = Int(status.st_size)
        guard size > 0 else {
            base = nil
            return
        }
        let address = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0)
        guard let address, address != MAP_FAILED else { throw FileError(path: path, action: "map", code: errno) }
        base = address
    }

    deinit { if let base { munmap(base, size) } }

    public var bytes: Bytes {
        guard let base else { return Bytes(zeros: 0) }
        return Bytes(at: base.assumingMemoryBound(to: UInt8.self), count: size, keeping: self)
    }
}
