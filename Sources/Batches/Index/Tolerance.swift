/// How many bad samples a run puts up with. Beyond that something is wrong with the data or the disk, and going on
/// would train on a small part of it over and over.
public struct Tolerance: Sendable, Equatable {
    /// 0...1, of all samples.
    public let share: Double
    /// Accepted in any case, since one bad file of a small set is a large share.
    public let always: Int

    public init(share: Double = 0.01, always: Int = 10) {
        self.share = share
        self.always = always
    }

    public func accepts(bad: Int, of count: Int) -> Bool {
        bad <= max(always, Int(share * Double(count)))
    }

    func check(bad: Int, of count: Int, place: String) throws(DataError) {
        guard !accepts(bad: bad, of: count) else { return }
        throw DataError(
            place, found: "\(bad) bad samples of \(count)",
            expected: "at most \(max(always, Int(share * Double(count))))",
            hint: "'lacuna data verify' lists them with their reason")
    }
}
