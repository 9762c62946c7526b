public import Kernels
import Platform

/// Adds gradients over the ranks while the backward pass still runs. The gradients are cut into fixed buckets; a
/// thread of its own sends the buckets that are ready, over a channel of its own, in the order in which they were
/// handed over. The order and the cuts are the planner's and the same on all ranks; timing decides nothing.
/// A single process sends nothing and has no thread.
public final class GradientExchange: Sendable {
    private let shared: Exchange?
    private let thread: Thread?

    /// Collective. `gradients` comes from `communicator.allocate`; each bucket is a range of it, about 25 MB.
    public init(
        _ communicator: any Communicator, gradients: Floats, buckets: [Range<Int>]
    ) throws(ClusterError) {
        guard communicator.size > 1 else {
            (shared, thread) = (nil, nil)
            return
        }
        let exchange = Exchange(try communicator.duplicate(), buckets.map { gradients[$0] })
        shared = exchange
        thread = Thread("exchange") { exchange.work() }
    }

    deinit {
        shared?.stop()
        thread?.join()
    }

    /// Hands over a bucket whose gradients are complete; returns at once.
    public func send(bucket: Int) { shared?.send(bucket) }

    /// Waits until every bucket that was sent is the sum over all ranks.
    public func finish() throws(ClusterError) { try shared?.finish() }

    /// Seconds that `finish` has waited since the start: communication that the backward pass did not hide.
    public var waitSeconds: Double { shared?.waitSeconds ?? 0 }
}

private final class Exchange: @unchecked Sendable {
    private struct Queue {
        /// Buckets in the order of arrival, used as a ring.
        var waiting: [Int]
        var first = 0
        var count = 0
        var unfinished = 0
        var failure: ClusterError?
        var isStopped = false
    }

    private let communicator: any Communicator
    private let buckets: [Floats]
    private let queue: Monitor<Queue>
    /// Written by the thread that calls `finish` only.
    private(set) var waitSeconds = 0.0

    init(_ communicator: any Communicator, _ buckets: [Floats]) {
        self.communicator = communicator
        self.buckets = buckets
        queue = Monitor(Queue(waiting: [Int](repeating: 0, count: max(1, buckets.count))))
    }

    func send(_ bucket: Int) {
        precondition(buckets.indices.contains(bucket), "no such bucket")
        queue.update { queue in
            precondition(queue.count < queue.waiting.count, "a bucket was sent twice in one step")
            queue.waiting[(queue.first + queue.count) % queue.waiting.count] = bucket
            queue.count += 1
            queue.unfinished += 1
        }
    }

    func finish() throws(ClusterError) {
        let start = MonotonicTime.nanoseconds
        let failure = queue.update(when: { $0.unfinished == 0 || $0.failure != nil }) { $0.failure }
        waitSeconds += Double(MonotonicTime.nanoseconds - start) * 1e-9
        if let failure { throw failure }
    }

    func stop() { queue.update { $0.isStopped = true } }

    func work() {
        while let bucket = next() {
            do {
                try communicator.sum(buckets[bucket])
                queue.update { $0.unfinished -= 1 }
            } catch {
                // Later buckets would meet other ranks' earlier ones: nothing more is sent.
                queue.update { $0.failure = error.during(bucket: bucket) }
                return
            }
        }
    }

    private func next() -> Int? {
        queue.update(when: { $0.count > 0 || $0.isStopped }) { queue in
            if queue.count == 0 { return nil }
            let bucket = queue.waiting[queue.first]
            queue.first = (queue.first + 1) % queue.waiting.count
            queue.count -= 1
            return bucket
        }
    }
}
