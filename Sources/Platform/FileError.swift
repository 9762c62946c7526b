import Glibc

/// A refused file operation: the path, what was tried and the system's reason.
public struct FileError: Error, CustomStringConvertible, Equatable {
    public let path: String
    public let action: String
    public let code: Int32

    public init(path: String, action: String, code: Int32) {
        self.path = path
        self.action = action
        self.code = code
    }

    public var description: String { "\(path): \(reason)" }
    /// The refused action and the reason, without the path.
    public var reason: String { "cannot \(action): \(String(cString: strerror(code)))" }
    public var isMissing: Bool { code == ENOENT }
    public var isDiskFull: Bool { code == ENOSPC || code == EDQUOT }
}
