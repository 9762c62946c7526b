import Glibc
public import Kernels

/// Reads whole files into memory that is used again and grows to the largest of them.
/// Plain reads, not a mapping: a file that shrinks or a server that fails then gives an error and no signal.
public struct FileBuffer: Sendable {
    /// The bytes of the file read last; the next read overwrites them.
    public private(set) var bytes: Bytes
    private var storage: Bytes

    public init() {
        storage = Bytes(zeros: 256 << 10)
        bytes = storage[0..<0]
    }

    /// - Parameters:
    ///   - name: relative to `folder`, of any length, with `/` between its parts.
    ///   - retries: further attempts when a network file system loses the file for a moment; 10 ms and then twice as long each.
    ///   - limitBytes: larger files are refused before memory is taken.
    public mutating func read(
        _ name: Bytes, in folder: OpenFolder, retries: Int = 5, limitBytes: Int = 256 << 20
    ) throws(FileError) {
        var attempt = 0
        while true {
            do {
                return try readOnce(name, in: folder, limitBytes: limitBytes)
            } catch {
                guard error.mayPass, attempt < retries else { throw error }
                // At most 10 · 2^4 ms, and only on the thread that wants this file.
                poll(nil, 0, 10 << Int32(min(attempt, 10)))
                attempt += 1
            }
        }
    }

    private mutating func readOnce(_ name: Bytes, in folder: OpenFolder, limitBytes: Int) throws(FileError) {
        func failure(_ action: String, _ code: Int32) -> FileError {
            FileError(path: folder.path + "/" + readableName(name.array), action: action, code: code)
        }
        // Without waiting for the writer of a FIFO; what is no regular file is refused below.
        let descriptor = openBelow(folder.descriptor, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard descriptor >= 0 else { throw failure("open", errno) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw failure("stat", errno) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw failure("read what is no regular file", EINVAL) }
        let size = Int(status.st_size)
        guard size <= limitBytes else { throw failure("read more than \(limitBytes) bytes", EFBIG) }
        if size > storage.count { storage = Bytes(zeros: max(size, min(limitBytes, 2 * storage.count))) }
        let count = readAll(descriptor, into: storage[0..<size])
        guard count >= 0 else { throw failure("read", errno) }
        bytes = storage[0..<count]
    }
}

extension FileError {
    /// The file is larger than the reader accepts.
    public var isTooLarge: Bool { code == EFBIG }

    /// True for failures that a network file system shows for a moment and then no more.
    var mayPass: Bool { code == ESTALE || code == EIO || code == ENOENT }
}
