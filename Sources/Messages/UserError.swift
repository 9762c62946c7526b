/// What a person can put right: the place, what was found there, what was expected, and what to do. A module that throws
/// it has an alias with reasons of its own, so that typed throws tell them apart.
public struct UserError<Reason: ErrorReason>: Error, Equatable, CustomStringConvertible {
    public let reason: Reason
    /// A file, tensor, key or option.
    public let place: String
    public let found: String
    public let expected: String
    public let hint: String

    public init(because reason: Reason, at place: String, found: String, expected: String = "", hint: String = "") {
        (self.reason, self.place, self.found) = (reason, place, found)
        (self.expected, self.hint) = (expected, hint)
    }

    public var description: String {
        let marks = Reason.marks
        var text = place + ": " + marks.found + found
        if !expected.isEmpty { text += marks.expected + "expected " + expected }
        if !hint.isEmpty { text += marks.hint + hint + marks.end }
        return text
    }
}

/// Why a module refuses, for callers that act on it.
public protocol ErrorReason: Equatable, Sendable {
    /// What is to blame; batch scripts decide by it whether to start again.
    var blame: Blame { get }
    /// What stands between the parts of the sentence.
    static var marks: (found: String, expected: String, hint: String, end: String) { get }
}

extension ErrorReason {
    public static var marks: (found: String, expected: String, hint: String, end: String) { ("", "; ", " (", ")") }
}

public enum Blame: Sendable {
    /// Options, recipe, or files that do not belong together.
    case request
    /// The contents of a data set.
    case data
    /// The file system, or bytes that were damaged.
    case storage
}

/// Any `UserError`, for those who only ask what is to blame.
public protocol BlamingError: Error {
    var blame: Blame { get }
}

extension UserError: BlamingError {
    public var blame: Blame { reason.blame }
}
