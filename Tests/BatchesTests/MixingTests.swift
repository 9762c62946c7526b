import Batches
import Kernels
import Recipes
import Testing

@Suite struct MixingTests {
    private let size = 8

    /// Images and targets of the updates, put together from all ranks and micro-batches.
    private func batches(
        _ mixing: Mixing?, ranks: Int = 1, accumulation: Int = 1, threads: Int = 1, updates: Range<Int> = 0..<3,
        repetitions: Int = 1
    ) throws -> [(images: [Float], targets: [Float])] {
        let source = try Procedural(seed: 1, count: 48, size: size)
        let sampler = try Sampler(count: 48, globalBatch: 16, order: .shuffled(seed: 2), repetitions: repetitions)
        var settings = Loader.Settings(
            seed: 5, transform: ImageTransform([HorizontalFlip()], .imageNet, mixing: mixing), height: size, width: size
        )
        (settings.targetClasses, settings.threads) = (10, threads)
        var result = [(images: [Float], targets: [Float])](repeating: ([], []), count: updates.count)
        for rank in 0..<ranks {
            let cut = BatchCut(rank: rank, ranks: ranks, accumulation: accumulation)
            let loader = try Loader(source, sampler, cut, settings, updates: updates)
            for update in 0..<updates.count {
                for _ in 0..<accumulation {
                    let batch = try loader.next()
                    result[update].images += batch.images.array
                    result[update].targets += batch.targets.array
                    loader.release(batch)
                }
            }
        }
        return result
    }

    @Test(arguments: Mixing.Mode.allCases, [(2, 1), (4, 1), (1, 4), (2, 2), (8, 1)])
    func `ranks, micro-batches and threads mix the same images`(_ mode: Mixing.Mode, _ cut: (Int, Int)) throws {
        let mixing = Mixing(mixup: 0.8, cutmix: 1, mode: mode)
        let whole = try batches(mixing)
        let parts = try batches(mixing, ranks: cut.0, accumulation: cut.1, threads: 2)
        #expect(whole.map(\.images) == parts.map(\.images))
        #expect(whole.map(\.targets) == parts.map(\.targets))
        let resumed = try batches(mixing, updates: 2..<3)
        #expect(resumed[0].images == whole[2].images && resumed[0].targets == whole[2].targets)
        let plain = try batches(nil)
        #expect(plain.map(\.images) != whole.map(\.images))
    }

    @Test func `targets are one-hot, and shares of two classes after mixing`() throws {
        for batch in try batches(nil) {
            #expect(batch.targets.allSatisfy { $0 == 0 || $0 == 1 } && batch.targets.reduce(0, +) == 16)
        }
        for batch in try batches(Mixing(mixup: 0.8, cutmix: 0, mode: .elem)) {
            for sample in 0..<16 {
                let target = batch.targets[sample * 10..<(sample + 1) * 10]
                #expect(abs(target.reduce(0, +) - 1) < 1e-6 && target.count { $0 > 0 } <= 2)
            }
        }
    }

    @Test func `one draw is for the update, the image or the pair`() throws {
        func shares(_ mode: Mixing.Mode) throws -> [[Float]] {
            try batches(Mixing(mixup: 1, cutmix: 0, mode: mode), updates: 0..<1)[0].targets.chunks(of: 10)
        }
        // The images of a pair take the same or exchanged shares unless each has its own.
        let batch = Set(try shares(.batch).flatMap { $0 }.filter { $0 > 0 && $0 < 1 })
        #expect(batch.count == 2)
        let pairs = try shares(.pair)
        for first in stride(from: 0, to: 16, by: 2) { #expect(pairs[first].max() == pairs[first + 1].max()) }
        #expect(Set(pairs.compactMap { $0.max() }).count > 5)
        #expect(Set(try shares(.elem).compactMap { $0.max() }).count > 10)
    }

    /// SparK puts a copy of the first image in front of an odd batch and reverses that.
    @Test(arguments: [1, 3, 5, 9]) func `an odd batch mixes as with a copy of its first in front`(_ count: Int) {
        let extended = [0] + Array(0..<count)
        let partners = (1...count).map { extended[extended.count - 1 - $0] }
        #expect(Recipe.Partner.mirror.indices(count) == partners)
        let images = Floats((0..<count * 3).map { Float($0) }), before = images.array
        let targets = Floats(zeros: count)
        Mixing.mix(
            Mixing.Rows(values: images, count: 3, width: 1), Mixing.Rows(values: targets, count: 1, width: 1),
            Array(repeating: .blend(kept: 0.75), count: count), partners, scratch: Floats(zeros: 3))
        for sample in 0..<count {
            for value in 0..<3 {
                let mixed = 0.75 * before[sample * 3 + value] + 0.25 * before[partners[sample] * 3 + value]
                #expect(images[sample * 3 + value] == mixed)
            }
        }
    }

    @Test func `an odd micro-batch and missing classes are refused`() throws {
        let source = try Procedural(seed: 1, count: 30, size: size)
        let sampler = try Sampler(count: 30, globalBatch: 6, order: .shuffled(seed: 2))
        let transform = ImageTransform([], .imageNet, mixing: Mixing(mixup: 1, cutmix: 1))
        var settings = Loader.Settings(seed: 5, transform: transform, height: size, width: size)
        let unlabelled = #expect(throws: DataError.self) {
            try Loader(source, sampler, BatchCut(), settings, updates: 0..<1)
        }
        #expect(unlabelled?.description.contains("no targets") == true)
        settings.targetClasses = 10
        let odd = #expect(throws: DataError.self) {
            try Loader(source, sampler, BatchCut(ranks: 2), settings, updates: 0..<1)
        }
        #expect(odd?.description.contains("3 samples") == true)
    }

    /// Beta(α, α) has the mean ½ and the variance 1 / (4·(2α + 1)).
    @Test(arguments: [0.1, 0.8, 1, 2.5]) func `shares are distributed as Beta`(_ shape: Double) {
        let mixing = Mixing(mixup: shape, cutmix: 0)
        let shares = (0..<4000).map { sample in
            var random = RandomStream(seed: 1, purpose: .mix, sample: UInt64(sample))
            return mixing.draw(&random, height: 8, width: 8).kept
        }
        let mean = shares.reduce(0, +) / 4000
        let variance = shares.reduce(0) { $0 + ($1 - 0.5) * ($1 - 0.5) } / 4000
        // Four deviations of the mean of 4000.
        #expect(abs(mean - 0.5) < 0.032 && abs(variance - 0.25 / (2 * shape + 1)) < 0.012)
        #expect(shares.allSatisfy { (0...1).contains($0) })
    }

    @Test func `half of the draws cut where both are on, and sides stay in their range`() {
        let both = Mixing(mixup: 0.8, cutmix: 1, probability: 0.8)
        let sides = Mixing(mixup: 0, cutmix: 1, sides: 0.2...0.6)
        var (cuts, blends) = (0, 0)
        for sample in 0..<2000 {
            var random = RandomStream(seed: 1, purpose: .mix, sample: UInt64(sample))
            switch both.draw(&random, height: 32, width: 32) {
            case .unchanged: break
            case .blend: blends += 1
            case .paste: cuts += 1
            }
            guard case .paste(let cut) = sides.draw(&random, height: 40, width: 20) else {
                Issue.record("no box")
                continue
            }
            #expect((8..<24).contains(cut.box.height) && (4..<12).contains(cut.box.width))
            #expect(cut.box.top >= 0 && cut.box.top + cut.box.height <= 40)
            #expect(abs(cut.kept - (1 - Double(cut.box.height * cut.box.width) / 800)) < 1e-12)
        }
        // 800 each, four deviations.
        #expect((712...888).contains(cuts) && (712...888).contains(blends))
    }

    @Test func `copies of a sample are not mixed with each other`() throws {
        let sampler = try Sampler(count: 48, globalBatch: 16, order: .shuffled(seed: 2), repetitions: 3)
        for update in 0..<3 {
            let draws = sampler.draws(update: update)
            for first in stride(from: 0, to: 16, by: 2) { #expect(draws[first].sample != draws[first + 1].sample) }
        }
        #expect(try batches(Mixing(mixup: 1, cutmix: 1), repetitions: 3)[0].targets.contains { $0 > 0 && $0 < 1 })
    }
}

extension [Float] {
    fileprivate func chunks(of size: Int) -> [[Float]] {
        stride(from: 0, to: count, by: size).map { Array(self[$0..<$0 + size]) }
    }
}
