public import Messages
import Platform

/// A file, folder or checkpoint that cannot be used.
public typealias CheckpointError = UserError<CheckpointReason>

public enum CheckpointReason: ErrorReason {
    /// The system refused to read.
    case unreadable
    /// The system refused to write; nothing that was there before is lost.
    case unwritable(diskFull: Bool)
    /// The bytes are not what was once written, or never were a checkpoint.
    case corrupt
    /// Valid, but of another model or another run.
    case mismatched
    /// Another process owns the run folder.
    case locked

    public var blame: Blame {
        switch self {
        case .unreadable, .unwritable, .corrupt: .storage
        case .mismatched, .locked: .request
        }
    }
}

extension UserError where Reason == CheckpointReason {
    public init(_ reason: CheckpointReason, at place: String, found: String, expected: String = "", hint: String = "") {
        self.init(because: reason, at: place, found: found, expected: expected, hint: hint)
    }

    init(reading error: FileError) {
        self.init(.unreadable, at: error.path, found: error.reason)
    }

    init(writing error: FileError) {
        self.init(.unwritable(diskFull: error.isDiskFull), at: error.path, found: error.reason)
    }

    /// The error of a save or a lock, whichever part of it failed.
    init(saving error: any Error, at place: String) {
        switch error {
        case let error as CheckpointError: self = error
        case let error as FileError: self.init(writing: error)
        default: self.init(.unwritable(diskFull: false), at: place, found: "\(error)")
        }
    }
}
