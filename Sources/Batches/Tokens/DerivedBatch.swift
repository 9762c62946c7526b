import Kernels

extension Batch {
    /// Becomes the same samples as `other`, which has as many: numbers, labels and, where both have them, targets; not what
    /// the model sees of them.
    public func takeSamples(of other: Batch) {
        precondition(shape.size == other.shape.size, "batches of one size")
        (number, update, epoch, count) = (other.number, other.update, other.epoch, other.count)
        labels.copy(from: other.labels)
        samples.copy(from: other.samples)
        keys.copy(from: other.keys)
        if targets.count == other.targets.count { targets.copy(from: other.targets) }
    }

    /// The key of the sample in a slot.
    public func key(_ slot: Int, seed: UInt64) -> SampleKey {
        SampleKey(seed: seed, epoch: UInt32(epoch), sample: keys[slot])
    }
}
