public import Messages
public import Platform

/// A data set that cannot be used as asked.
public typealias DataError = UserError<DataReason>

public enum DataReason: ErrorReason {
    case contents
    /// The system refused to read.
    case refused(FileError)

    public var blame: Blame { .data }
    public static var marks: (found: String, expected: String, hint: String, end: String) { ("", ", ", "; ", "") }
}

extension UserError where Reason == DataReason {
    public init(_ place: String, found: String, expected: String = "", hint: String = "") {
        self.init(because: .contents, at: place, found: found, expected: expected, hint: hint)
    }

    public init(_ refusal: FileError, hint: String = "") {
        self.init(because: .refused(refusal), at: refusal.path, found: refusal.reason, hint: hint)
    }

    /// The system's refusal behind it, if that is the reason.
    public var refusal: FileError? { if case .refused(let refusal) = reason { refusal } else { nil } }
}

/// Runs `body` and turns the system's refusal into a data error.
func asDataError<Result>(hint: String = "", _ body: () throws(FileError) -> Result) throws(DataError) -> Result {
    do {
        return try body()
    } catch {
        throw DataError(error, hint: hint)
    }
}
