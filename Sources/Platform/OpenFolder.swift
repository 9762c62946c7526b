import Glibc
public import Kernels

/// An open folder. Names are bytes: a file system promises neither UTF-8 nor printable characters.
public final class OpenFolder: @unchecked Sendable {
    /// The path, for messages; the folder is reached through its descriptor.
    public let path: String
    let descriptor: Int32

    public init(_ path: String) throws(FileError) {
        self.path = path
        descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileError(path: path, action: "open the folder", code: errno) }
    }

    /// The folder at the end of `name`, which may have many parts and any length, below `parent`.
    public init(below parent: OpenFolder, _ name: Bytes) throws(FileError) {
        path = parent.path + "/" + readableName(name.array)
        descriptor = openBelow(parent.descriptor, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileError(path: path, action: "open the folder", code: errno) }
    }

    deinit { close(descriptor) }

    /// The kind of entry that a name inside a folder stands for. Links to files count as files.
    public enum Kind: Equatable, Sendable {
        case file(bytes: Int)
        case folder
        /// A link to a folder: followed only on demand, since it may lead back up.
        case linkedFolder
        /// A link that leads nowhere or in a circle.
        case dangling
        /// A FIFO, socket or device: opening it could wait for ever.
        case special
        /// The system refuses to say.
        case hidden
    }

    public struct Entry: Sendable {
        public let name: [UInt8]
        public let kind: Kind
    }

    /// Everything inside but `.` and `..`, sorted by the bytes of the names. One `stat` for each file.
    public func entries() throws(FileError) -> [Entry] {
        // Its own descriptor: reading moves a position, and `closedir` closes.
        let copy = openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard copy >= 0 else { throw FileError(path: path, action: "open the folder", code: errno) }
        guard let stream = fdopendir(copy) else {
            let code = errno
            close(copy)
            throw FileError(path: path, action: "list", code: code)
        }
        defer { closedir(stream) }
        var entries: [Entry] = []
        while true {
            errno = 0
            guard let found = readdir(stream) else {
                guard errno == 0 else { throw FileError(path: path, action: "list", code: errno) }
                break
            }
            let name = bytesOfName(found)
            if name == [0x2E] || name == [0x2E, 0x2E] { continue }
            entries.append(Entry(name: name, kind: kind(of: name, hint: Int32(found.pointee.d_type))))
        }
        entries.sort { precedes($0.name, $1.name) }
        return entries
    }

    private func kind(of name: [UInt8], hint: Int32) -> Kind {
        switch hint {
        case Int32(DT_DIR): return .folder
        case Int32(DT_FIFO), Int32(DT_SOCK), Int32(DT_CHR), Int32(DT_BLK): return .special
        default: break
        }
        var status = stat()
        guard withCString(of: name, { fstatat(descriptor, $0, &status, 0) }) == 0 else {
            return errno == ENOENT || errno == ELOOP ? .dangling : .hidden
        }
        switch status.st_mode & S_IFMT {
        case S_IFREG: return .file(bytes: Int(status.st_size))
        // DT_UNKNOWN: some file systems keep no type in the folder.
        case S_IFDIR: return hint == Int32(DT_LNK) || isLink(name) ? .linkedFolder : .folder
        default: return .special
        }
    }

    private func isLink(_ name: [UInt8]) -> Bool {
        var status = stat()
        let code = withCString(of: name) { fstatat(descriptor, $0, &status, AT_SYMLINK_NOFOLLOW) }
        return code == 0 && status.st_mode & S_IFMT == S_IFLNK
    }

    private func bytesOfName(_ entry: UnsafeMutablePointer<dirent>) -> [UInt8] {
        withUnsafePointer(to: &entry.pointee.d_name) { tuple in
            let start = UnsafeRawPointer(tuple)
            return Array(UnsafeRawBufferPointer(start: start, count: strlen(start.assumingMemoryBound(to: CChar.self))))
        }
    }

    private func precedes(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        left.withUnsafeBytes { left in
            right.withUnsafeBytes { right in
                guard let first = left.baseAddress, let second = right.baseAddress else {
                    return left.count < right.count
                }
                let order = memcmp(first, second, min(left.count, right.count))
                return order == 0 ? left.count < right.count : order < 0
            }
        }
    }
}

/// A name fit for a message: bytes that are no printable text appear as `\xNN`.
public func readableName(_ bytes: [UInt8]) -> String {
    if let text = String(validating: bytes, as: UTF8.self), !text.unicodeScalars.contains(where: { $0.value < 32 }) {
        return text
    }
    return bytes.reduce(into: "") { text, byte in
        if (32..<127).contains(byte) && byte != 0x5C {
            text.unicodeScalars.append(Unicode.Scalar(byte))
        } else {
            text += "\\x" + String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
        }
    }
}

/// Opens `name`, relative to the folder behind the descriptor. A name longer than the system takes at once is walked
/// in pieces, so that its length does not matter. Returns -1 and sets `errno` like `open`.
func openBelow(_ folder: Int32, _ name: Bytes, _ flags: Int32) -> Int32 {
    let longest = 4_000
    var (at, from, isOwned) = (folder, 0, false)
    defer { if isOwned { close(at) } }
    while name.count - from > longest {
        guard let cut = (from..<from + longest).last(where: { name[$0] == UInt8(ascii: "/") }), cut > from else {
            errno = ENAMETOOLONG
            return -1
        }
        let next = withCString(of: (from..<cut).lazy.map { name[$0] }) {
            openat(at, $0, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        }
        if isOwned { close(at) }
        (at, from, isOwned) = (next, cut + 1, next >= 0)
        if next < 0 { return -1 }
    }
    return withCString(of: (from..<name.count).lazy.map { name[$0] }) { openat(at, $0, flags) }
}

func withCString<Result>(of name: some Collection<UInt8>, _ body: (UnsafePointer<CChar>) -> Result) -> Result {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: name.count + 1) { buffer in
        var at = 0
        for byte in name {
            buffer[at] = CChar(bitPattern: byte)
            at += 1
        }
        buffer[at] = 0
        guard let start = buffer.baseAddress else { preconditionFailure("an allocation has an address") }
        return body(start)
    }
}
