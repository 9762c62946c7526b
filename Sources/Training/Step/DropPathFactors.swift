import Autodiff
import Batches
import Kernels

/// Writes the keep factors of stochastic depth: a pure function of (seed, epoch, sample, site), so that a sample drops
/// the same branches on any number of ranks.
struct DropPathFactors {
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
