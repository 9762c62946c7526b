import Cluster
import Kernels
import Synchronization

/// Sums over ranks inside a plan, such as those of batch norm: one per layer, small, on the compute thread's
/// communicator. A pass cannot throw in its middle, so the first failure is kept and thrown after it.
final class RankSums: Sendable {
    private let communicator: any Communicator
    private let state = Mutex<State>(State())

    /// How many sums there were, and the seconds that they took with the wait for other ranks.
    struct Times: Sendable {
        var count = 0
        var seconds = 0.0
    }

    private struct State {
        var failure: ClusterError?
        var times = Times()
        var isAlone = false
    }

    init(_ communicator: any Communicator) { self.communicator = communicator }

    func add(_ floats: Floats) {
        guard communicator.size > 1 else { return }
        let (hasFailed, isAlone) = state.withLock { ($0.failure != nil, $0.isAlone) }
        if hasFailed { return }
        if isAlone {
            for index in 0..<floats.count { floats[index] *= Float(communicator.size) }
            return
        }
        let start = MonotonicTime.now
        do throws(ClusterError) {
            try communicator.sum(floats)
        } catch {
            state.withLock { $0.failure = error }
        }
        state.withLock {
            $0.times.seconds += MonotonicTime.now - start
            $0.times.count += 1
        }
    }

    /// Runs `body`, of which the other ranks know nothing: its sums take them to hold what this rank holds.
    func alone<Value>(_ body: () -> Value) -> Value {
        state.withLock { $0.isAlone = true }
        defer { state.withLock { $0.isAlone = false } }
        return body()
    }

    var times: Times { state.withLock { $0.times } }

    func check() throws(ClusterError) {
        if let failure = state.withLock({ $0.failure }) { throw failure }
    }
}
