/// Who tells people what goes on: a terminal, a log file, a test.
public protocol RunSpeaker {
    /// Only rank 0 is heard.
    func say(_ line: String)
    func warn(_ line: String)
    /// A failure that only one rank knows of.
    func warnFromAnyRank(_ line: String)
    /// A line that the next one may take the place of.
    func show(_ line: String)
}
