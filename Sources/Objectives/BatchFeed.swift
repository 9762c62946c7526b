public import Autodiff
public import Batches

/// Where a trainer's micro-batches come from: loader threads, what a method makes of their batches, or one synthetic
/// batch when only the step is timed.
public protocol BatchFeed: AnyObject {
    func next() throws -> Batch
    func release(_ batch: Batch)
    /// Keeps with the weights what they must never be used without.
    func describe(in store: ParameterStore)
}

extension BatchFeed {
    public func describe(in store: ParameterStore) {}
}

extension Loader: BatchFeed {}
