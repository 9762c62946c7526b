/// A sample that could not be read: where it is and what is wrong with it. Such samples are counted and replaced
/// by others, so one bad file never ends a run.
public struct SampleError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The file, or the file and the entry in it.
    public let path: String
    /// What was found and what was expected, ready to print after the path.
    public let reason: String

    public init(path: String, reason: String) {
        self.path = path
        self.reason = reason
    }

    public var description: String { "\(path): \(reason)" }
}
