/// A model that cannot be built as asked for.
public struct ModelError: Error, Equatable, CustomStringConvertible {
    /// The setting, such as `model.patch_size`.
    public let place: String
    public let found: String
    public let expected: String
    public let hint: String

    public init(_ place: String, found: String, expected: String, hint: String) {
        self.place = place
        self.found = found
        self.expected = expected
        self.hint = hint
    }

    public var description: String { "\(place): found \(found), expected \(expected); \(hint)" }
}
