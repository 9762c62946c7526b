public import Kernels

/// Which samples an update sees: a new permutation of the set in each epoch, cut into global batches. A pure function
/// of (seed, epoch), so that any number of ranks and of micro-batches uses the same samples at the same update.
public struct Sampler: Sendable, Equatable {
    public enum Order: Sendable, Equatable {
        /// A permutation for each epoch; what is left over after the last whole batch is dropped.
        case shuffled(seed: UInt64)
        /// As stored, the last batch with what is left over: for evaluation.
        case stored
    }

    public let count: Int
    /// Samples of one update on all ranks together.
    public let globalBatch: Int
    public let order: Order
    /// How often each sample stands in the permutation: repeated augmentation. An epoch has the same number of updates
    /// and sees a part of the samples. A batch holds first copies, then second ones and so on, so that the copies of a
    /// sample are no neighbours and, as in the reference, come to different ranks. Source: SparK, fine-tuning of ConvNeXt.
    public let repetitions: Int
    public let updatesPerEpoch: Int

    /// - Parameter wraps: accept a set smaller than one batch, in which a batch then holds samples several times.
    public init(
        count: Int, globalBatch: Int, order: Order, repetitions: Int = 1, wraps: Bool = false
    ) throws(DataError) {
        guard count > 0, globalBatch > 0, repetitions > 0 else {
            throw DataError(
                "sampler", found: "\(count) samples, batch \(globalBatch), \(repetitions) repetitions",
                expected: "at least one of each")
        }
        self.count = count
        self.globalBatch = globalBatch
        self.order = order
        self.repetitions = repetitions
        switch order {
        case .stored: updatesPerEpoch = (count * repetitions + globalBatch - 1) / globalBatch
        case .shuffled: updatesPerEpoch = max(1, count / globalBatch)
        }
        if case .shuffled = order, count < globalBatch, !wraps {
            throw DataError(
                "sampler", found: "\(count) samples", expected: "at least the global batch of \(globalBatch)",
                hint: "take a smaller batch, or let the recipe wrap around so that a batch holds samples several times")
        }
    }

    public func epoch(ofUpdate update: Int) -> Int { update / updatesPerEpoch }

    /// Writes the permutation of an epoch into `samples`, which holds `count` elements.
    public func fill(_ samples: Indices, epoch: Int) {
        precondition(samples.count == count, "room for each sample")
        for index in 0..<count { samples[index] = Int32(index) }
        guard case .shuffled(let seed) = order else { return }
        var random = RandomStream(seed: seed, purpose: .order, epoch: UInt32(epoch))
        for last in stride(from: count - 1, to: 0, by: -1) {
            let other = random.below(last + 1)
            (samples[last], samples[other]) = (samples[other], samples[last])
        }
    }

    /// The draws of one update, in the order of the global batch. Makes a permutation; a loader keeps one instead.
    public func draws(update: Int) -> [Draw] {
        let samples = Indices(zeros: count)
        fill(samples, epoch: epoch(ofUpdate: update))
        return (0..<globalBatch).compactMap { draw(at: $0, update: update, in: samples) }
    }

    /// - Parameters:
    ///   - place: in the global batch.
    ///   - samples: the permutation of the update's epoch.
    /// - Returns: nil beyond the end of a set in stored order.
    public func draw(at place: Int, update: Int, in samples: Indices) -> Draw? {
        let position = update % updatesPerEpoch * globalBatch + spread(place)
        let (entry, copy) = (position / repetitions, position % repetitions)
        if case .stored = order, entry >= count { return nil }
        return Draw(
            sample: Int(samples[entry % count]), epoch: epoch(ofUpdate: update),
            repetition: entry / count * repetitions + copy)
    }

    /// Positions 0, r, 2r, … of the batch's list of r copies each come first, then 1, r + 1, …
    private func spread(_ place: Int) -> Int {
        guard repetitions > 1, case .shuffled = order else { return place }
        var rest = place
        for copy in 0..<repetitions {
            let entries = (globalBatch - copy + repetitions - 1) / repetitions
            if rest < entries { return rest * repetitions + copy }
            rest -= entries
        }
        preconditionFailure("a place beyond the batch")
    }
}

/// One sample at one place of one epoch.
public struct Draw: Sendable, Equatable {
    public let sample: Int
    public let epoch: Int
    /// 0 unless the same sample stands in the epoch more than once.
    public let repetition: Int

    /// The key of the draws made for it: copies of a sample differ in their augmentation.
    public func key(seed: UInt64) -> SampleKey {
        SampleKey(seed: seed, epoch: UInt32(epoch), sample: UInt64(sample) | UInt64(repetition) << 40)
    }
}

/// How a global batch is divided: rank r takes a contiguous block, in micro-batches one after the other.
public struct BatchCut: Sendable, Equatable {
    public let rank, ranks: Int
    /// Micro-batches that make one update.
    public let accumulation: Int

    public init(rank: Int = 0, ranks: Int = 1, accumulation: Int = 1) {
        precondition(ranks > 0 && accumulation > 0 && (0..<ranks).contains(rank), "a rank of its world")
        self.rank = rank
        self.ranks = ranks
        self.accumulation = accumulation
    }

    /// Samples of one micro-batch.
    public func microBatch(of globalBatch: Int) throws(DataError) -> Int {
        let parts = ranks * accumulation
        guard globalBatch % parts == 0 else {
            throw DataError(
                "batch", found: "a global batch of \(globalBatch)",
                expected: "a multiple of \(parts) (\(ranks) ranks × \(accumulation) micro-batches)")
        }
        return globalBatch / parts
    }

    /// Where micro-batch `number`, counted from the run's start, begins: its update and its first place in the global batch.
    package func start(of number: Int, size: Int) -> (update: Int, offset: Int) {
        (number / accumulation, (rank * accumulation + number % accumulation) * size)
    }
}
