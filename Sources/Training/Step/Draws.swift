import Autodiff
import Batches
import Kernels

/// Writes what a step leaves out at random: pure functions of (seed, epoch, sample), so that a sample loses the same
/// values on any number of ranks.
struct Draws {
    private let dropPaths: DropPathFactors
    private let dropouts: DropoutKeys

    init(_ graph: Graph, seed: UInt64, samples: Int) {
        dropPaths = DropPathFactors(graph, seed: seed, samples: samples)
        dropouts = DropoutKeys(graph, seed: seed)
    }

    func set(_ plan: Plan, _ batch: Batch) {
        dropPaths.set(plan, batch)
        dropouts.set(plan, batch)
    }
}

/// The keep factors of stochastic depth, by (seed, epoch, sample, site).
private struct DropPathFactors {
    private let sites: [DropPathInput]
    private let factors: [Floats]
    private let seed: UInt64

    init(_ graph: Graph, seed: UInt64, samples: Int) {
        sites = graph.dropPaths
        factors = sites.map { _ in Floats(zeros: samples) }
        self.seed = seed
    }

    func set(_ plan: Plan, _ batch: Batch) {
        guard !sites.isEmpty else { return }
        for slot in 0..<batch.samples.count {
            let sample = UInt64(bitPattern: Int64(batch.samples[slot]))
            var random = RandomStream(seed: seed, purpose: .dropPath, epoch: UInt32(batch.epoch), sample: sample)
            for site in sites.indices {
                let rate = sites[site].dropRate
                factors[site][slot] = random.uniform() < rate ? 0 : Float(1 / (1 - rate))
            }
        }
        for site in sites.indices { plan.set(sites[site].factors, factors[site]) }
    }
}

/// The keys of dropout: two words for each sample.
private struct DropoutKeys {
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
