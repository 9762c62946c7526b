import Glibc

/// A folder, by path. Renames are atomic; `flush` makes them last.
public struct Folder: Sendable, Equatable {
    public let path: String

    public init(_ path: String) { self.path = path }

    /// A file or folder inside.
    public func path(of name: String) -> String { path + "/" + name }

    /// Makes the folder and those above it; one that exists is fine.
    public func create() throws(FileError) {
        var made = ""
        for part in path.split(separator: "/", omittingEmptySubsequences: true) {
            made += (made.isEmpty && !path.hasPrefix("/") ? "" : "/") + part
            guard mkdir(made, 0o755) != 0, errno != EEXIST else { continue }
            throw FileError(path: made, action: "create folder", code: errno)
        }
        // A run folder may be a link to a larger disk.
        guard FileStatus(path, followingLinks: true)?.isFolder == true else {
            throw FileError(path: path, action: "create folder", code: ENOTDIR)
        }
    }

    /// Names inside, sorted by bytes, without `.` and `..`; a missing folder has none.
    public func names() throws(FileError) -> [String] {
        guard let stream = opendir(path) else {
            if errno == ENOENT { return [] }
            throw FileError(path: path, action: "list", code: errno)
        }
        defer { closedir(stream) }
        var names: [String] = []
        errno = 0
        while let entry = readdir(stream) {
            // The record is shorter than the C type says, so the name is read through the pointer, not through a copy.
            let offset = MemoryLayout<dirent>.offset(of: \dirent.d_name) ?? 0
            let name = String(cString: UnsafeRawPointer(entry).advanced(by: offset).assumingMemoryBound(to: CChar.self))
            if name != ".", name != ".." { names.append(name) }
            errno = 0
        }
        guard errno == 0 else { throw FileError(path: path, action: "list", code: errno) }
        return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    /// Makes the names inside durable.
    public func flush() throws(FileError) { try flushFolder(of: path + "/.") }

    /// Bytes that this user may still write on the file system of the folder.
    public func freeBytes() throws(FileError) -> Int {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else {
            throw FileError(path: path, action: "ask for free space", code: errno)
        }
        return Int(status.f_bavail) * Int(status.f_frsize)
    }
}

/// Facts that the system knows about a path.
public struct FileStatus: Sendable, Equatable {
    public let bytes: Int
    public let isFolder: Bool
    public let isFile: Bool
    /// Nanoseconds since 1970 on the clock of the file system, which may not be this machine's.
    public let modified: Int
    /// Tells two files of one file system apart.
    public let identity: UInt64

    /// The status; nil where nothing exists. A link is described itself unless it is to be followed.
    public init?(_ path: String, followingLinks: Bool = false) {
        var status = stat()
        guard (followingLinks ? stat(path, &status) : lstat(path, &status)) == 0 else { return nil }
        self.init(status)
    }

    init(_ status: stat) {
        bytes = Int(status.st_size)
        isFolder = status.st_mode & S_IFMT == S_IFDIR
        isFile = status.st_mode & S_IFMT == S_IFREG
        modified = status.st_mtim.tv_sec * 1_000_000_000 + status.st_mtim.tv_nsec
        identity = UInt64(status.st_ino)
    }
}

/// Gives `from` the name `to`; a file there is replaced, a folder there must be empty.
public func renamePath(_ from: String, to: String) throws(FileError) {
    guard rename(from, to) == 0 else { throw FileError(path: from, action: "rename to \(to)", code: errno) }
}

/// The file that a link leads to; the path itself where it is none, or leads nowhere.
public func linkTarget(_ path: String) -> String {
    guard let target = realpath(path, nil) else { return path }
    defer { free(target) }
    return String(cString: target)
}

/// Removes a file, a link, or a folder with all that is in it. A missing path is fine; links are not followed.
public func removePath(_ path: String) throws(FileError) {
    guard let status = FileStatus(path) else { return }
    if status.isFolder {
        for name in try Folder(path).names() { try removePath(path + "/" + name) }
        guard rmdir(path) == 0 || errno == ENOENT else { throw FileError(path: path, action: "remove", code: errno) }
    } else {
        guard unlink(path) == 0 || errno == ENOENT else { throw FileError(path: path, action: "remove", code: errno) }
    }
}
