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

    /// What was found since the last call, for the log.
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
