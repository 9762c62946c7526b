import Batches
import Kernels
import Recipes

/// What is done to the grids of a micro-batch, step by step, each sample on its own wherever that is possible.
struct TokenSteps {
    /// The stored grids as code vectors, (B, n, n, D).
    let maps: Floats
    private let partner: Recipe.Partner
    private let edit: TokenEdit?
    private let crop: TokenCrop.Settings?
    private let color: TokenColor?
    private let grid: TokenGrid
    private let seed: UInt64
    /// (K, 5); nil where nothing is edited.
    private let synonyms: Indices?
    /// Rows that vectors are compared with: unit ones where the cosine counts.
    private let codes: Floats
    /// Ids of each sample, and room for as many.
    private let ids, spare: Indices
    /// Mean and deviation of each channel of each sample.
    private let statistics: Floats
    private let scores: Floats

    init(_ recipe: Recipe, _ tokens: Recipe.Tokens, _ grid: TokenGrid, samples: Int) {
        let codebook = grid.codebook
        (partner, self.grid, seed) = (tokens.partner, grid, recipe.seed)
        edit = recipe.settings(of: TokenEdit.self).map { TokenEdit($0) }
        crop = recipe.settings(of: TokenCrop.self)
        color = recipe.settings(of: TokenColor.self).map { TokenColor($0) }
        maps = Floats(zeros: samples * grid.count * codebook.width)
        synonyms = edit == nil ? nil : grid.synonyms
        codes = codebook.metric == .cosine ? codebook.normalizedRows : codebook.rows
        (ids, spare) = (Indices(zeros: samples * grid.count), Indices(zeros: samples * grid.count))
        statistics = Floats(zeros: samples * 2 * codebook.width)
        let places = tokens.size * tokens.size
        scores = Floats(zeros: WorkerPool.nearestScratch(rows: places, codes: codebook.count))
    }

    private var width: Int { grid.codebook.width }
    private var count: Int { grid.count * width }

    /// The stored grid of a sample as code vectors.
    func map(_ sample: Int) -> Floats { maps[sample * count..<(sample + 1) * count] }

    /// The draws of an update.
    func stream(_ purpose: Purpose, _ batch: Batch) -> RandomStream {
        RandomStream(seed: seed, purpose: purpose, sample: UInt64(batch.update))
    }

    /// Ids, edited if the recipe says so, and their code vectors.
    func embed(_ stored: Batch, _ pool: WorkerPool) {
        pool.split(stored.count, grain: 1, (self, stored)) { arguments, samples in
            let (steps, stored) = arguments
            for sample in samples { steps.embed(sample, stored) }
        }
    }

    private func embed(_ sample: Int, _ stored: Batch) {
        let range = sample * grid.count..<(sample + 1) * grid.count
        let (ids, grid) = (self.ids[range], stored.image(sample))
        for place in 0..<ids.count { ids[place] = Int32(grid[place]) }
        if let edit, let synonyms {
            edit.apply(
                ids, side: self.grid.side, synonyms: synonyms, scratch: spare[range], stored.key(sample, seed: seed))
        }
        let map = map(sample)
        for place in 0..<ids.count {
            map[place * width..<(place + 1) * width].copy(from: self.grid.codebook[Int(ids[place])])
        }
    }

    /// Cuts a part out of the stored grid of every sample of `half` and resizes it to the model's side.
    func crop(_ batch: Batch, _ half: TokenHalf, _ pool: WorkerPool) {
        pool.split(half.places.count, grain: 1, (self, batch, half)) { arguments, places in
            let (steps, batch, half) = arguments
            let (side, size) = (steps.grid.side, batch.shape.width)
            let count = size * size * steps.width
            for place in places {
                var random = batch.key(half.places[place], seed: steps.seed).stream(.crop)
                let crop =
                    steps.crop.map { MapCrop.random(side: side, area: $0.scale[0]...$0.scale[1], &random) }
                    ?? .centre(size, of: side)
                crop.resize(
                    steps.map(half.places[place]), columns: side, into: half.maps[place * count..<(place + 1) * count],
                    side: size, channels: steps.width)
            }
        }
    }

    /// Noise or the statistics of another sample for half of the maps, or nothing.
    /// - Parameter maps: of all samples, one after the other.
    func color(_ batch: Batch, _ maps: Floats, _ pool: WorkerPool) {
        guard let color else { return }
        var random = stream(.tokenColor, batch)
        let change = color.draw(&random)
        guard change != .none else { return }
        let samples = batch.count
        let (chosen, partners) = pairs(batch, &random)
        let count = maps.count / batch.shape.size
        if change == .adapt {
            pool.split(samples, grain: 1, (self, maps, count)) { arguments, samples in
                let (steps, maps, count) = arguments
                for sample in samples {
                    TokenColor.measure(
                        maps[sample * count..<(sample + 1) * count], channels: steps.width,
                        into: steps.statistics(sample))
                }
            }
        }
        pool.split(samples, grain: 1, (self, batch, maps, count, change, chosen, partners)) { arguments, samples in
            let (steps, batch, maps, count, change, chosen, partners) = arguments
            for sample in samples where chosen[sample] {
                let map = maps[sample * count..<(sample + 1) * count]
                if change == .noise {
                    var random = batch.key(sample, seed: steps.seed).stream(.tokenNoise)
                    TokenColor.addNoise(map, channels: steps.width, &random)
                } else {
                    TokenColor.adapt(
                        map, channels: steps.width, own: steps.statistics(sample),
                        other: steps.statistics(partners[sample]))
                }
            }
        }
    }

    private func statistics(_ sample: Int) -> Floats {
        statistics[sample * 2 * width..<(sample + 1) * 2 * width]
    }

    /// Half of the samples, and the partner of each: of a pair of neighbours one, by a coin; or any half, as the reference
    /// has it.
    private func pairs(_ batch: Batch, _ random: inout RandomStream) -> (chosen: [Bool], partners: [Int]) {
        let samples = batch.count
        var chosen = [Bool](repeating: false, count: samples)
        switch partner {
        case .neighbour:
            for first in stride(from: 0, to: samples - 1, by: 2) {
                var coin = batch.key(first, seed: seed).stream(.tokenColor)
                chosen[first + (coin.uniform() < 0.5 ? 0 : 1)] = true
            }
            return (chosen, (0..<samples).map { min($0 ^ 1, samples - 1) })
        case .mirror:
            for sample in random.permutation(samples).prefix(samples / 2) { chosen[sample] = true }
            return (chosen, (0..<samples).reversed())
        }
    }

    /// What the model sees of the maps of a half: the maps, or the ids of the nearest codes.
    func finish(_ batch: Batch, _ half: TokenHalf, _ pool: WorkerPool) {
        let count = half.maps.count / half.places.count
        for (place, sample) in half.places.enumerated() {
            let map = half.maps[place * count..<(place + 1) * count]
            if batch.shape.channels == 1 {
                pool.nearestRows(
                    map, codes: codes, into: batch.image(sample), width: width,
                    isDistance: grid.codebook.metric != .cosine, scratch: scores)
            } else {
                batch.image(sample).copy(from: map)
            }
        }
    }

    /// Ids as the model sees them.
    func write(_ ids: Floats, into image: Floats) {
        guard image.count != ids.count else { return image.copy(from: ids) }
        for place in 0..<ids.count {
            image[place * width..<(place + 1) * width].copy(from: grid.codebook[Int(ids[place])])
        }
    }
}
