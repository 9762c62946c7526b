import Batches
import Kernels
import Objectives
import Recipes
import Testing
import Training

@Suite struct TokenFeedTests {
    /// With 7 samples on each of two ranks the pairs of the second one would be others than on one rank with 14.
    @Test func `samples that take from neighbours come in whole pairs`() {
        let error = #expect(throws: DataError.self) {
            try bench("Recipes/seit-token_vit_micro-fashion_mnist-20ep.yaml", batch: 7)
        }
        #expect(error?.found == "7 samples in a micro-batch of a rank")
    }

    /// SeiT: ids are edited, embedded, cut, changed in colour, mixed. SeiT++ changes the colour of the whole grid
    /// before it is cut, and turns mixed vectors into ids again.
    @Test(arguments: Recipe.Partner.allCases, [(1.0, true), (0.0, true), (1.0, false), (0.0, false)])
    func `grids pass through the steps in the published order`(
        _ partner: Recipe.Partner, _ form: (Double, Bool)
    ) throws {
        let (noise, cutsFirst) = form
        let four = FourGrids(partner: partner)
        let recipe = try shippedRecipe(
            "Recipes/seit-token_vit_tiny-cifar10-200ep.yaml",
            [
                "seed=\(four.seed)", "tokens.size=\(four.size)", "tokens.codebook_size=16",
                "tokens.code_dim=\(four.width)",
                "tokens.edit={synonyms: 0.5, swap: 0.5}", "tokens.partner=\(partner)", "tokens.mix.partner=\(partner)",
                "tokens.color={noise: \(noise), adapt: \(1 - noise), after_crop: \(cutsFirst)}",
            ])
        let feed = try TokenFeed(
            RepeatedBatch(four.stored), recipe, four.grid, samples: 4, channels: cutsFirst ? four.width : 1,
            classes: 10, pool: WorkerPool(threads: 2))
        let batch = try feed.next()

        var maps = four.embedded
        if cutsFirst { maps = four.cut(maps) }
        four.color(maps, addsNoise: noise == 1)
        if !cutsFirst { maps = four.cut(maps) }
        let box = four.box
        #expect((0.5...0.9).contains(box.kept), "something is pasted")
        for sample in 0..<4 {
            let vectors = four.mixed(maps, sample, box)
            let ids = vectors.map { Float(four.grid.codebook.nearest(to: $0)) }
            #expect(batch.image(sample).array == (cutsFirst ? vectors.flatMap { $0.array } : ids))
            var targets = [Float](repeating: 0, count: 10)
            targets[sample] = Float(box.kept)
            targets[four.partners[sample]] = Float(1 - box.kept)
            #expect(batch.target(sample).array == targets)
        }
    }
}

/// Four grids of 8 x 8 ids out of 16 codes, of which a model sees 6 x 6, and each step by itself with the draws of the
/// same keys.
private struct FourGrids {
    let partner: Recipe.Partner
    /// It edits with synonyms and with an exchange, and cuts a third out for mixing.
    let seed: UInt64 = 10
    let side = 8, size = 6, width = 4
    let grid: TokenGrid
    let stored: Batch

    init(partner: Recipe.Partner) {
        self.partner = partner
        var random = RandomStream(seed: 1, purpose: .codebook)
        let rows = Floats((0..<16 * width).map { _ in Float(random.normal()) })
        grid = TokenGrid(side: side, Codebook(rows, width: width, metric: .cosine))
        stored = Batch(
            synthetic: BatchShape(size: 4, height: side, width: side, channels: 1, targetClasses: 10), seed: seed,
            codes: 16)
    }

    private func key(_ sample: Int) -> SampleKey { SampleKey(seed: seed, epoch: 0, sample: UInt64(sample)) }

    /// Neighbours, or first and last.
    var partners: [Int] { partner == .neighbour ? [1, 0, 3, 2] : [3, 2, 1, 0] }

    /// Code vectors of the edited ids.
    var embedded: [Floats] {
        (0..<4).map { sample in
            let ids = Indices(stored.image(sample).array.map { Int32($0) })
            TokenEdit(synonyms: 0.5, swap: 0.5).apply(
                ids, side: side, synonyms: grid.synonyms, scratch: Indices(zeros: side * side), key(sample))
            return Floats(ids.array.flatMap { grid.codebook[Int($0)].array })
        }
    }

    func cut(_ maps: [Floats]) -> [Floats] {
        maps.indices.map { sample in
            var random = key(sample).stream(.crop)
            let part = Floats(zeros: size * size * width)
            MapCrop.random(side: side, area: 0.2...1, &random)
                .resize(maps[sample], columns: side, into: part, side: size, channels: width)
            return part
        }
    }

    /// One of each pair of neighbours by the coin of the first, or any two, take noise or their partner's statistics.
    func color(_ maps: [Floats], addsNoise: Bool) {
        var update = RandomStream(seed: seed, purpose: .tokenColor)
        // The choice between noise and statistics, of which one is certain here.
        _ = update.uniform()
        let coins = [0, 2].map { first in
            var coin = key(first).stream(.tokenColor)
            return first + (coin.uniform() < 0.5 ? 0 : 1)
        }
        let chosen = partner == .neighbour ? coins : Array(update.permutation(4).prefix(2))
        let statistics = maps.map { map in
            let values = Floats(zeros: 2 * width)
            TokenColor.measure(map, channels: width, into: values)
            return values
        }
        for sample in chosen {
            if addsNoise {
                var random = key(sample).stream(.tokenNoise)
                TokenColor.addNoise(maps[sample], channels: width, &random)
            } else {
                TokenColor.adapt(
                    maps[sample], channels: width, own: statistics[sample], other: statistics[partners[sample]])
            }
        }
    }

    /// Of the update: CutMix with its share from Beta(1, 1), which is uniform.
    var box: CutMixBox {
        var random = RandomStream(seed: seed, purpose: .mix)
        // Whether anything is mixed at all: always.
        _ = random.uniform()
        let share = random.uniform()
        let (row, column) = (random.below(size), random.below(size))
        return CutMixBox(share: share, centre: (row, column), height: size, width: size)
    }

    /// The vectors of a sample, those in the box from its partner.
    func mixed(_ maps: [Floats], _ sample: Int, _ mix: CutMixBox) -> [Floats] {
        let (rows, columns) = (mix.box.top..<mix.box.top + mix.box.height, mix.box.left..<mix.box.left + mix.box.width)
        return (0..<size * size).map { place in
            let isPasted = rows.contains(place / size) && columns.contains(place % size)
            return maps[isPasted ? partners[sample] : sample][place * width..<(place + 1) * width]
        }
    }
}
