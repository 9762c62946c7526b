import Kernels

/// The samples that could not be read, each counted and reported once.
public final class BadSamples: Sendable {
    private struct State {
        var known: Set<Int> = []
        var unreported: [SampleError] = []
    }
    private let state = Monitor(State())

    public init() {}

    public var count: Int { state.update { $0.known.count } }

    /// Bad samples found since the last call, for the log.
    public func takeReports() -> [SampleError] {
        state.update { state in
            defer { state.unreported = [] }
            return state.unreported
        }
    }

    /// - Returns: the number of different bad samples up to now.
    func note(_ sample: Int, _ error: SampleError) -> Int {
        state.update { state in
            if state.known.insert(sample).inserted { state.unreported.append(error) }
            return state.known.count
        }
    }
}

extension Draw {
    /// Another sample in place of a bad one: a pure function of (seed, epoch, sample, attempt), so that every rank
    /// that meets the bad sample in this epoch takes the same.
    func substitute(attempt: Int, count: Int, seed: UInt64) -> Int {
        let key = key(seed: seed)
        var random = RandomStream(seed: seed, purpose: .substitute, epoch: key.epoch, sample: key.sample)
        var choice = 0
        for _ in 0...attempt { choice = random.below(count) }
        return choice
    }
}

/// A sample that could not be read: where it is and what is wrong with it. Such samples are counted and replaced
/// by others, so one bad file never ends a run.
public struct SampleError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The file, or the file and the entry in it.
    public let path: String
    /// Text of what was found and what was expected, ready to print after the path.
    public let reason: String

    public init(path: String, reason: String) {
        self.path = path
        self.reason = reason
    }

    public var description: String { "\(path): \(reason)" }
}

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
