import Autodiff
import Batches
import Kernels

/// Writes the keys of dropout: two words for each sample, a pure function of (seed, epoch, sample), so that a sample loses
/// the same values on any number of ranks.
struct DropoutKeys {
    private let input: IndexInput?
    private let words: Indices
    private let seed: UInt64

    init(_ graph: Graph, seed: UInt64) {
        input = graph.dropoutKeys
        words = Indices(zeros: input?.count ?? 0)
        self.seed = seed
    }

    func set(_ plan: Plan, _ batch: Batch) {
        guard let input else { return }
        for slot in 0..<words.count / 2 {
            var random = batch.key(slot, seed: seed).stream(.dropout)
            words[2 * slot] = Int32(bitPattern: random.word())
            words[2 * slot + 1] = Int32(bitPattern: random.word())
        }
        plan.set(input, words)
    }
}
