public import Batches

/// Where a trainer's micro-batches come from: loader threads, or one synthetic batch when only the step is timed.
public protocol BatchFeed: AnyObject {
    func next() throws -> Batch
    func release(_ batch: Batch)
}

extension Loader: BatchFeed {}

/// The same batch again and again.
public final class RepeatedBatch: BatchFeed {
    private let batch: Batch

    public init(_ batch: Batch) { self.batch = batch }
    public func next() -> Batch { batch }
    public func release(_ batch: Batch) {}
}
