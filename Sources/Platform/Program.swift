import Glibc
import Kernels

/// Another program of this machine.
public struct Program: Sendable, Equatable {
    public let path: String

    public init(path: String) { self.path = path }

    /// The first of that name in `folders`, the text of the variable PATH.
    public init?(named name: String, in folders: String) {
        for folder in folders.split(separator: ":") {
            let path = folder + "/" + name
            guard access(path, X_OK) == 0, FileStatus(path, followingLinks: true)?.isFile == true else { continue }
            self.path = path
            return
        }
        return nil
    }

    /// Runs it and returns the first 8 KiB of its output; nil where it cannot be started or fails.
    public func output(_ arguments: [String]) -> String? {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { return nil }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO)
        var words: [UnsafeMutablePointer<CChar>?] = ([path] + arguments).map { strdup($0) } + [nil]
        defer { words.forEach { free($0) } }
        var child: pid_t = 0
        let code = posix_spawn(&child, path, &actions, nil, &words, environ)
        close(ends[1])
        defer { close(ends[0]) }
        guard code == 0 else { return nil }
        let text = Bytes(zeros: 8192)
        let count = max(0, readAll(ends[0], into: text))
        var status: Int32 = 0
        while waitpid(child, &status, 0) < 0 { guard errno == EINTR else { return nil } }
        return status == 0 ? String(decoding: text[0..<count].array, as: UTF8.self) : nil
    }
}
