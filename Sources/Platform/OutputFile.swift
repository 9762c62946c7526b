import Glibc
public import Kernels

/// A file being written with plain system calls. `commit` makes it durable before it takes its name.
public final class OutputFile {
    public let path: String
    private let temporary: String
    private var descriptor: Int32

    /// Writes go to `path` + `.tmp`; the name `path` appears only with `commit`.
    public init(replacing path: String) throws(FileError) {
        self.path = path
        temporary = path + ".tmp"
        descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw FileError(path: temporary, action: "create", code: errno) }
    }

    /// Writes go to `path` itself: for files inside a folder that takes its name later.
    public init(creating path: String) throws(FileError) {
        self.path = path
        temporary = path
        descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw FileError(path: path, action: "create", code: errno) }
    }

    deinit {
        guard descriptor >= 0 else { return }
        Glibc.close(descriptor)
        unlink(temporary)
    }

    public func write<Element>(_ buffer: Buffer<Element>) throws(FileError) {
        try write(UnsafeRawBufferPointer(start: buffer.pointer, count: buffer.count * MemoryLayout<Element>.stride))
    }

    public func write(_ bytes: [UInt8]) throws(FileError) {
        let buffer = Bytes(bytes)
        try write(buffer)
    }

    /// Flushes, renames over `path` and flushes the folder, so that after a crash the old or the new file is there.
    public func commit() throws(FileError) {
        guard fsync(descriptor) == 0 else { throw FileError(path: temporary, action: "flush", code: errno) }
        try close()
        if temporary == path { return }
        guard rename(temporary, path) == 0 else {
            let code = errno
            unlink(temporary)
            throw FileError(path: path, action: "rename to", code: code)
        }
        try flushFolder(of: path)
    }

    /// Network file systems report a full quota as late as here.
    private func close() throws(FileError) {
        let code = Glibc.close(descriptor) == 0 ? 0 : errno
        descriptor = -1
        guard code != 0 else { return }
        unlink(temporary)
        throw FileError(path: temporary, action: "close", code: code)
    }

    private func write(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
        guard writeAll(descriptor, bytes) == bytes.count else {
            throw FileError(path: temporary, action: "write", code: errno)
        }
    }
}

/// Makes a rename inside the folder of `path` durable.
public func flushFolder(of path: String) throws(FileError) {
    let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    let descriptor = open(folder.isEmpty ? "/" : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw FileError(path: folder, action: "open", code: errno) }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 else { throw FileError(path: folder, action: "flush", code: errno) }
}

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
