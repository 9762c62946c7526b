/// What identifies a data set: a run that resumes on another set would silently be another run.
public struct Fingerprint: Hashable, Codable, Sendable, CustomStringConvertible {
    public let count: Int
    /// 0 for a set without labels.
    public let classes: Int
    /// Over content, order and labels.
    public let hash: UInt64

    public init(count: Int, classes: Int, hash: UInt64) {
        self.count = count
        self.classes = classes
        self.hash = hash
    }

    public var description: String { "\(count) samples, \(classes) classes, fingerprint \(String(hash, radix: 16))" }

    /// - Parameter saved: of the set that the run was started on.
    public func check(resuming saved: Fingerprint, place: String) throws(DataError) {
        guard self != saved else { return }
        let reason =
            if count != saved.count {
                "the number of samples changed"
            } else if classes != saved.classes {
                "the number of classes changed"
            } else {
                "samples were changed, renamed or put in another order"
            }
        throw DataError(
            place, found: "\(self)", expected: "\(saved)",
            hint: "\(reason) since the run started; restore the data or start a new run")
    }
}
