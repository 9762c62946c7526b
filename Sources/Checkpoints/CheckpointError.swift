import Platform

/// A file, folder or checkpoint that cannot be used: the place, what was found there, what was expected, what to do.
public struct CheckpointError: Error, CustomStringConvertible, Equatable {
    /// What kind of trouble it is, for callers that act on it.
    public enum Reason: Equatable, Sendable {
        /// The system refused to read.
        case unreadable
        /// The system refused to write; nothing that was there before is lost.
        case unwritable(diskFull: Bool)
        /// The bytes are not what was once written, or never were a checkpoint.
        case corrupt
        /// Sound, but of another model or another run.
        case mismatched
        /// Another process owns the run folder.
        case locked
    }

    public let reason: Reason
    /// File, tensor or key.
    public let place: String
    public let found: String
    public let expected: String
    public let hint: String

    public init(_ reason: Reason, at place: String, found: String, expected: String = "", hint: String = "") {
        self.reason = reason
        self.place = place
        self.found = found
        self.expected = expected
        self.hint = hint
    }

    init(reading error: FileError) {
        self.init(.unreadable, at: error.path, found: error.reason)
    }

    init(writing error: FileError) {
        self.init(.unwritable(diskFull: error.isDiskFull), at: error.path, found: error.reason)
    }

    /// What a save or a lock ends with, whichever part of it failed.
    init(saving error: any Error, at place: String) {
        switch error {
        case let error as CheckpointError: self = error
        case let error as FileError: self.init(writing: error)
        default: self.init(.unwritable(diskFull: false), at: place, found: "\(error)")
        }
    }

    public var description: String {
        var text = place + ": " + found
        if !expected.isEmpty { text += "; expected " + expected }
        if !hint.isEmpty { text += " (" + hint + ")" }
        return text
    }
}
