import Glibc
public import Kernels

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
