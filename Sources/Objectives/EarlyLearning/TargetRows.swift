import Batches
import Cluster
import Kernels

/// The targets of early-learning regularisation: a row of class shares for each training sample, zero until its first
/// visit. Replicated, every rank holds all rows and learns of every change; sharded, rank r of R holds the samples i with
/// floor(i·R / N) = r and hands rows out and takes them back. Both give the same bits, in Float: with β near 1 a shorter
/// number would stop moving. Ranks meet in sums to which all but one add zeros, which is exact.
/// Calls are collective where they say so. A step allocates nothing.
final class TargetRows {
    /// How a row is found again from a slot of a batch.
    private enum Entry {
        /// Two floats hold a sample's number plus 1 exactly; zeros stand for an empty slot.
        static let floats = 2
        static let base = 1 << 12
    }

    /// Replicated up to so many bytes a rank.
    static let mostReplicatedBytes = 512 << 20

    let samples, classes: Int
    let isSharded: Bool
    /// The samples whose rows lie here.
    let owned: Range<Int>
    /// (owned, classes)
    let rows: Floats
    private let cut: BatchCut
    /// Samples of one micro-batch on a rank.
    private let size: Int
    private let communicator: any Communicator
    /// Whose rows, and the rows, of all micro-batches of an update on all ranks.
    private let numbers, values: Floats

    /// - Parameters:
    ///   - samples: N, of the training set.
    ///   - size: samples of one micro-batch on a rank.
    init(
        samples: Int, classes: Int, isSharded: Bool, _ cut: BatchCut, size: Int, communicator: any Communicator
    ) throws {
        (self.samples, self.classes, self.cut, self.size) = (samples, classes, cut, size)
        self.communicator = communicator
        self.isSharded = isSharded && cut.ranks > 1
        owned = self.isSharded ? Self.part(of: cut.rank, ranks: cut.ranks, samples: samples) : 0..<samples
        rows = Floats(zeros: owned.count * classes)
        let entries = cut.accumulation * cut.ranks * size
        numbers = try communicator.allocate(entries * Entry.floats)
        values = try communicator.allocate(entries * classes)
    }

    /// The samples of a rank: those i with floor(i·R / N) = r.
    static func part(of rank: Int, ranks: Int, samples: Int) -> Range<Int> {
        func first(_ rank: Int) -> Int { (rank * samples + ranks - 1) / ranks }
        return first(rank)..<first(rank + 1)
    }

    /// Bytes of one rank for the rows, those of a batch on their way left out.
    static func bytes(samples: Int, classes: Int, isSharded: Bool, ranks: Int) -> Int {
        4 * classes * (isSharded ? (samples + ranks - 1) / ranks : samples)
    }

    private func block(_ micro: Int) -> Range<Int> { micro * cut.ranks * size..<(micro + 1) * cut.ranks * size }
    private func own(_ micro: Int) -> Int { (micro * cut.ranks + cut.rank) * size }

    private func row(_ sample: Int) -> Floats {
        rows[(sample - owned.lowerBound) * classes..<(sample - owned.lowerBound + 1) * classes]
    }

    private func value(_ entry: Int) -> Floats { values[entry * classes..<(entry + 1) * classes] }

    /// Nil for an empty slot.
    private func sample(_ entry: Int) -> Int? {
        let number = Int(numbers[2 * entry]) * Entry.base + Int(numbers[2 * entry + 1])
        return number > 0 ? number - 1 : nil
    }

    /// Collective where the rows are sharded. The rows of a micro-batch's samples, (B, classes); zeros in empty slots.
    func fetch(_ samples: Indices, micro: Int, into batch: Floats) throws(ClusterError) {
        let block = block(micro)
        numbers[2 * block.lowerBound..<2 * block.upperBound].fill(0)
        for slot in 0..<size {
            let number = Int(samples[slot]) + 1
            numbers[2 * (own(micro) + slot)] = Float(number / Entry.base)
            numbers[2 * (own(micro) + slot) + 1] = Float(number % Entry.base)
        }
        if isSharded {
            try communicator.sum(numbers[2 * block.lowerBound..<2 * block.upperBound])
            values[block.lowerBound * classes..<block.upperBound * classes].fill(0)
            for entry in block {
                if let sample = sample(entry), owned.contains(sample) { value(entry).copy(from: row(sample)) }
            }
            try communicator.sum(values[block.lowerBound * classes..<block.upperBound * classes])
        }
        for slot in 0..<size {
            let target = batch[slot * classes..<(slot + 1) * classes]
            if isSharded {
                target.copy(from: value(own(micro) + slot))
            } else if samples[slot] >= 0 {
                target.copy(from: row(Int(samples[slot])))
            } else {
                target.fill(0)
            }
        }
    }

    /// The rows of a micro-batch as they will be once `commit` is called.
    func note(_ batch: Floats, micro: Int) {
        let block = block(micro)
        values[block.lowerBound * classes..<block.upperBound * classes].fill(0)
        values[own(micro) * classes..<(own(micro) + size) * classes].copy(from: batch)
    }

    /// Collective. The rows of the whole update take effect. A sample that stands twice in a batch, as a substitute for one
    /// that cannot be read, keeps the row of its last place.
    func commit() throws(ClusterError) {
        if cut.ranks > 1 {
            if !isSharded { try communicator.sum(numbers) }
            try communicator.sum(values)
        }
        for entry in 0..<cut.accumulation * cut.ranks * size {
            if let sample = sample(entry), owned.contains(sample) { row(sample).copy(from: value(entry)) }
        }
    }
}

extension TargetRows {
    /// Rows that go over the network at once when all of them do.
    private var chunk: Int { max(1, (1 << 20) / classes) }

    /// Collective. All rows, (samples, classes), on rank 0; nil on the others. Where they are sharded rank 0 takes memory
    /// for all of them, 5.1 GB for ImageNet-1k, which `PlanSummary.gatheredTargetBytes` counts.
    func gathered() throws(ClusterError) -> Floats? {
        guard isSharded else { return communicator.rank == 0 ? rows : nil }
        let whole = communicator.rank == 0 ? Floats(zeros: samples * classes) : nil
        let part = Floats(zeros: min(chunk, samples) * classes)
        for start in stride(from: 0, to: samples, by: chunk) {
            let range = start..<min(start + chunk, samples)
            let own = range.clamped(to: owned)
            part.fill(0)
            for sample in own {
                part[(sample - start) * classes..<(sample - start + 1) * classes].copy(from: row(sample))
            }
            try communicator.sum(part[0..<range.count * classes])
            whole?[start * classes..<range.upperBound * classes].copy(from: part[0..<range.count * classes])
        }
        return whole
    }

    /// Collective. Takes all rows from rank 0, whatever the number of ranks that wrote them.
    /// - Parameter whole: (samples, classes); nil on the other ranks.
    func restore(_ whole: Floats?) throws(ClusterError) {
        let part = Floats(zeros: min(chunk, samples) * classes)
        for start in stride(from: 0, to: samples, by: chunk) {
            let range = start..<min(start + chunk, samples)
            let floats = part[0..<range.count * classes]
            if let whole { floats.copy(from: whole[start * classes..<range.upperBound * classes]) }
            try communicator.broadcast(floats.viewed(as: UInt8.self))
            for sample in range.clamped(to: owned) {
                row(sample).copy(from: floats[(sample - start) * classes..<(sample - start + 1) * classes])
            }
        }
    }

    /// Collective where the rows are sharded. How well the largest share of each row finds the wrong labels: precision
    /// and recall, percent.
    func found(in labels: NoisyLabels) throws(ClusterError) -> (precision: Double, recall: Double) {
        // Wrong and flagged, flagged, wrong; of samples that have been visited.
        let counts = Doubles(zeros: 3)
        for sample in owned {
            let row = row(sample)
            var best = 0
            for k in 1..<classes where row[k] > row[best] { best = k }
            guard row[best] > 0 else { continue }
            let (isFlagged, isWrong) = (best != labels.noisy[sample], labels.clean[sample] != labels.noisy[sample])
            if isFlagged && isWrong { counts[0] += 1 }
            if isFlagged { counts[1] += 1 }
            if isWrong { counts[2] += 1 }
        }
        if isSharded { try communicator.sum(counts) }
        return (100 * counts[0] / max(counts[1], 1), 100 * counts[0] / max(counts[2], 1))
    }
}
