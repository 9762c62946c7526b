import Batches
import Kernels
import Testing

@Suite struct SamplerTests {
    /// The samples of an update, gathered from all ranks and micro-batches in the order of the global batch.
    private func samples(_ sampler: Sampler, update: Int, ranks: Int, accumulation: Int) throws -> [Draw] {
        var draws: [Draw] = []
        for rank in 0..<ranks {
            let cut = BatchCut(rank: rank, ranks: ranks, accumulation: accumulation)
            for micro in 0..<accumulation {
                let size = try cut.microBatch(of: sampler.globalBatch)
                let first = cut.start(of: update * accumulation + micro, size: size).offset
                let order = Indices(zeros: sampler.count)
                sampler.fill(order, epoch: sampler.epoch(ofUpdate: update))
                draws += (first..<first + size).compactMap { sampler.draw(at: $0, update: update, in: order) }
            }
        }
        return draws
    }

    @Test(arguments: [(1, 1), (2, 1), (4, 1), (1, 4), (2, 2), (4, 2), (8, 1)])
    func `any cut of an update holds the same samples in the same order`(_ ranks: Int, _ accumulation: Int) throws {
        let sampler = try Sampler(count: 61, globalBatch: 8, order: .shuffled(seed: 3))
        for update in [0, 1, 6, 7, 20] {
            let cut = try samples(sampler, update: update, ranks: ranks, accumulation: accumulation)
            #expect(cut == sampler.draws(update: update))
        }
    }

    @Test func `an epoch holds no sample twice and drops the tail`() throws {
        let sampler = try Sampler(count: 61, globalBatch: 8, order: .shuffled(seed: 3))
        #expect(sampler.updatesPerEpoch == 7)
        let seen = (7..<14).flatMap { sampler.draws(update: $0).map(\.sample) }
        #expect(seen.count == 56)
        #expect(Set(seen).count == 56)
        #expect(sampler.draws(update: 7).allSatisfy { $0.epoch == 1 })
    }

    @Test func `epochs and seeds have orders of their own`() throws {
        let sampler = try Sampler(count: 100, globalBatch: 100, order: .shuffled(seed: 3))
        let other = try Sampler(count: 100, globalBatch: 100, order: .shuffled(seed: 4))
        let first = sampler.draws(update: 0).map(\.sample)
        #expect(first != sampler.draws(update: 1).map(\.sample))
        #expect(first != other.draws(update: 0).map(\.sample))
        #expect(first.sorted() == Array(0..<100))
    }

    @Test func `the order is the permutation of the epoch's stream`() throws {
        let sampler = try Sampler(count: 10, globalBatch: 10, order: .shuffled(seed: 9))
        var stream = RandomStream(seed: 9, purpose: .order, epoch: 2)
        #expect(sampler.draws(update: 2).map(\.sample) == stream.permutation(10))
    }

    @Test func `a set smaller than the batch is refused, or wraps when asked`() throws {
        let error = #expect(throws: DataError.self) {
            try Sampler(count: 5, globalBatch: 8, order: .shuffled(seed: 1))
        }
        #expect(error?.description.contains("5 samples") == true)
        let sampler = try Sampler(count: 5, globalBatch: 8, order: .shuffled(seed: 1), wraps: true)
        let draws = sampler.draws(update: 0)
        #expect(draws.count == 8)
        #expect(Set(draws.map(\.sample)).count == 5)
        // The second copy of a sample has draws of its own.
        #expect(draws[5].sample == draws[0].sample)
        #expect(draws[5].key(seed: 1) != draws[0].key(seed: 1))
    }

    @Test func `repeated augmentation sees a part of the samples and keeps copies apart`() throws {
        let sampler = try Sampler(count: 12, globalBatch: 6, order: .shuffled(seed: 1), repetitions: 3)
        #expect(sampler.updatesPerEpoch == 2)
        let draws = (0..<2).flatMap { sampler.draws(update: $0) }
        #expect(Set(draws.map(\.sample)).count == 4)
        #expect(draws.map(\.repetition) == [0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 2, 2])
        #expect(draws[0].sample == draws[2].sample && draws[0].sample != draws[1].sample)
        #expect(try samples(sampler, update: 1, ranks: 3, accumulation: 2) == sampler.draws(update: 1))
    }

    @Test func `copies that end in another batch are not lost`() throws {
        let sampler = try Sampler(count: 20, globalBatch: 10, order: .shuffled(seed: 1), repetitions: 3)
        let draws = (0..<2).flatMap { sampler.draws(update: $0) }
        let counts = Dictionary(grouping: draws, by: \.sample).mapValues { Set($0.map(\.repetition)).count }
        // Twenty places: six samples three times, a seventh twice.
        #expect(counts.values.sorted() == [2, 3, 3, 3, 3, 3, 3])
    }

    @Test func `stored order keeps the tail`() throws {
        let sampler = try Sampler(count: 10, globalBatch: 4, order: .stored)
        #expect(sampler.updatesPerEpoch == 3)
        #expect(sampler.draws(update: 2).map(\.sample) == [8, 9])
    }

    @Test func `a batch that cannot be divided is refused with both numbers`() {
        let error = #expect(throws: DataError.self) { try BatchCut(ranks: 3, accumulation: 2).microBatch(of: 16) }
        #expect(error?.description.contains("multiple of 6") == true)
    }
}
