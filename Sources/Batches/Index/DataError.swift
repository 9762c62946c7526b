public import Platform

/// A data set that cannot be used as asked: where, what was found, what was expected, what to do.
public struct DataError: Error, CustomStringConvertible, Equatable, Sendable {
    public let place: String
    public let found: String
    public let expected: String
    public let hint: String
    /// The system's refusal behind it, if that is the reason.
    public let refusal: FileError?

    public init(_ place: String, found: String, expected: String = "", hint: String = "") {
        self.place = place
        self.found = found
        self.expected = expected
        self.hint = hint
        refusal = nil
    }

    public init(_ refusal: FileError, hint: String = "") {
        place = refusal.path
        found = refusal.description.dropPrefix(refusal.path + ": ")
        expected = ""
        self.hint = hint
        self.refusal = refusal
    }

    public var description: String {
        var text = "\(place): \(found)"
        if !expected.isEmpty { text += ", expected \(expected)" }
        if !hint.isEmpty { text += "; \(hint)" }
        return text
    }
}

extension String {
    fileprivate func dropPrefix(_ prefix: String) -> String {
        hasPrefix(prefix) ? String(dropFirst(prefix.count)) : self
    }
}

/// Runs `body` and turns the system's refusal into a data error.
func asDataError<Result>(hint: String = "", _ body: () throws(FileError) -> Result) throws(DataError) -> Result {
    do {
        return try body()
    } catch {
        throw DataError(error, hint: hint)
    }
}
