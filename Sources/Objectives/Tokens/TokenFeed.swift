import Autodiff
public import Batches
public import Kernels
public import Recipes

/// Grids of ids as stored, made into what a model sees in training: edited, embedded, changed in colour, cut, mixed,
/// partly sent through TokenAdapt and turned into ids again, with the masks of the source. On the compute threads, since
/// TokenAdapt is a network; every draw is keyed by the sample or by the update.
///
/// Where the reference draws for each rank, we draw for the update, and partners are neighbours, so that the number of ranks
/// does not change the result; `tokens.partner: mirror` pairs as the reference does.
package final class TokenFeed: BatchFeed {
    private let source: any BatchFeed
    private let steps: TokenSteps
    private let adaptation: FrozenTokenAdapt?
    private let recipe: Recipe
    private let batch: Batch
    private let base: TokenHalf
    private let adapted: TokenHalf?
    private let pool: WorkerPool

    /// - Parameters:
    ///   - source: gives the stored grids as ids, one float for each.
    ///   - channels: 1 where the model sees ids, else the numbers of a code vector.
    ///   - classes: of the targets; 0 without them.
    ///   - maskCount: floats of a mask of the source; 0 without masks.
    init(
        _ source: any BatchFeed, _ recipe: Recipe, _ grid: TokenGrid, samples: Int, channels: Int, classes: Int,
        maskCount: Int, adaptation: FrozenTokenAdapt?, pool: WorkerPool
    ) throws {
        guard let tokens = recipe.tokens else { preconditionFailure("a recipe of tokens") }
        let halves = TokenHalf.places(samples, tokens.partner, adapts: adaptation != nil)
        let size = grid.codebook.width * tokens.size * tokens.size
        base = TokenHalf(halves.base, count: size, classes: classes)
        adapted = adaptation.map { TokenHalf(halves.adapted, count: $0.featureCount, classes: classes) }
        let mixes: [(TokenHalf?, Mixing.Settings?)] = [
            (base, recipe.settings(of: TokenMixing.self)), (adapted, recipe.settings(of: TokenGeometry.self)?.mix),
        ]
        for (half, mix) in mixes {
            guard let half, mix?.partner == .neighbour, half.places.count % 2 == 1 else { continue }
            throw DataError(
                "batch", found: "\(samples) samples in a micro-batch of a rank",
                expected: "a multiple of \(adaptation == nil ? 2 : 4), to mix neighbours",
                hint: "choose batch.global, batch.grad_accum_steps and ranks so that it is one")
        }
        // Pairs that begin with an odd sample on one rank would begin with an even one on two.
        guard samples % 2 == 0 || tokens.partner == .mirror || (!recipe.has(TokenColor.key) && adaptation == nil) else {
            throw DataError(
                "batch", found: "\(samples) samples in a micro-batch of a rank",
                expected: "an even number, since tokens.color and tokens.adapt take neighbours",
                hint:
                    "choose batch.global, batch.grad_accum_steps and ranks so that it is even, or tokens.partner: mirror"
            )
        }
        steps = TokenSteps(recipe, tokens, grid, samples: samples)
        batch = Batch(
            BatchShape(
                size: samples, height: tokens.size, width: tokens.size, channels: channels,
                maskCount: maskCount, targetClasses: classes))
        (self.source, self.recipe, self.adaptation) = (source, recipe, adaptation)
        self.pool = pool
    }

    /// With neither masks nor TokenAdapt.
    package convenience init(
        _ source: any BatchFeed, _ recipe: Recipe, _ grid: TokenGrid, samples: Int, channels: Int, classes: Int,
        pool: WorkerPool
    ) throws {
        try self.init(
            source, recipe, grid, samples: samples, channels: channels, classes: classes, maskCount: 0,
            adaptation: nil, pool: pool)
    }

    package func next() throws -> Batch {
        let stored = try source.next()
        batch.takeSamples(of: stored)
        steps.embed(stored, pool)
        source.release(stored)
        if recipe.settings(of: TokenColor.self)?.afterCrop == true {
            steps.crop(batch, base, pool)
            steps.color(batch, base.maps, pool)
        } else {
            steps.color(batch, steps.maps, pool)
            steps.crop(batch, base, pool)
        }
        mix(base, recipe.settings(of: TokenMixing.self), side: batch.shape.width, half: 0)
        steps.finish(batch, base, pool)
        if let adaptation, let adapted { adapt(adapted, adaptation) }
        return batch
    }

    package func release(_ batch: Batch) {}

    private func adapt(_ half: TokenHalf, _ adaptation: FrozenTokenAdapt) {
        var random = steps.stream(.tokenAdapt, batch)
        let warps = adaptation.geometry.movements(&random).map { $0.warp(side: adaptation.geometry.side) }
        for (place, sample) in half.places.enumerated() {
            var random = batch.key(sample, seed: recipe.seed).stream(.crop)
            adaptation.set(
                place, map: steps.map(sample), MapGeometry(adaptation.geometry.crop(&random), warps: warps))
        }
        adaptation.warp(into: half.maps)
        mix(half, recipe.settings(of: TokenGeometry.self)?.mix, side: adaptation.featureSide, half: 1)
        let ids = adaptation.ids(of: half.maps)
        for (place, sample) in half.places.enumerated() {
            let count = batch.shape.height * batch.shape.width
            steps.write(ids[place * count..<(place + 1) * count], into: batch.image(sample))
        }
    }

    private func mix(_ half: TokenHalf, _ mix: Mixing.Settings?, side: Int, half number: UInt32) {
        guard let mixing = mix.map({ Mixing($0) }) else { return }
        let partners = mixing.partner.indices(half.places.count)
        let stream = RandomStream(seed: recipe.seed, purpose: .mix, epoch: number, sample: UInt64(batch.update))
        let mixtures = mixing.mixtures(partners, stream, height: side, width: side) {
            batch.key(half.places[$0], seed: recipe.seed)
        }
        half.mix(mixtures, partners, side: side, channels: half.maps.count / half.places.count / (side * side), batch)
    }
}

extension Objective {
    /// Batches as they are loaded, or what training makes of stored grids of tokens.
    public func feed(
        _ loader: any BatchFeed, _ batch: BatchTensors, _ recipe: Recipe, _ grid: TokenGrid?, pool: WorkerPool
    ) throws -> any BatchFeed {
        guard let tokens = recipe.tokens, let grid else { return loader }
        let samples = batch.images.shape[0]
        let adapted = TokenHalf.places(samples, tokens.partner, adapts: recipe.has(TokenGeometry.key)).adapted
        guard !recipe.has(TokenGeometry.key) || !adapted.isEmpty else {
            throw DataError(
                "batch", found: "\(samples) sample in a micro-batch of a rank",
                expected: "at least 2, of which one goes through TokenAdapt", hint: "take fewer ranks or a larger batch"
            )
        }
        return try tokenFeed(
            loader, batch, recipe, grid, pool,
            recipe.settings(of: TokenGeometry.self).map {
                try FrozenTokenAdapt($0, grid, size: tokens.size, samples: adapted.count, pool: pool)
            })
    }

    /// What a timed step reads of synthetic batches; without TokenAdapt, whose weights need not be there.
    public func timedFeed(
        _ made: any BatchFeed, _ batch: BatchTensors, _ recipe: Recipe, pool: WorkerPool
    ) throws -> any BatchFeed {
        guard let grid = recipe.syntheticGrid else { return made }
        return try tokenFeed(made, batch, recipe, grid, pool, nil)
    }

    private func tokenFeed(
        _ source: any BatchFeed, _ batch: BatchTensors, _ recipe: Recipe, _ grid: TokenGrid, _ pool: WorkerPool,
        _ adaptation: FrozenTokenAdapt?
    ) throws -> any BatchFeed {
        try TokenFeed(
            source, recipe, grid, samples: batch.images.shape[0], channels: batch.images.shape[3],
            classes: batch.targets?.shape[1] ?? 0, maskCount: masking?.count ?? 0, adaptation: adaptation, pool: pool)
    }
}

extension Recipe {
    /// A synthetic grid for timing without data: as large as the published one is to its crop, 32 to 28, with a drawn
    /// codebook.
    public var syntheticGrid: TokenGrid? {
        tokens.map { tokens in
            let rows = Floats(zeros: tokens.codebookSize * tokens.codeDim)
            var random = RandomStream(seed: seed, purpose: .procedural)
            for place in 0..<rows.count { rows[place] = Float(random.normal()) }
            return TokenGrid(
                side: tokens.size * 8 / 7, Codebook(rows, width: tokens.codeDim, metric: .cosine))
        }
    }
}

/// One half of a micro-batch, or all of it.
struct TokenHalf {
    /// Its samples in the micro-batch.
    let places: [Int]
    /// The maps of these samples one after the other.
    let maps: Floats
    private let targets: Floats
    private let scratch: Floats

    /// - Parameter count: floats of one map.
    init(_ places: [Int], count: Int, classes: Int) {
        self.places = places
        maps = Floats(zeros: places.count * count)
        targets = Floats(zeros: places.count * classes)
        scratch = Floats(zeros: max(count, classes))
    }

    /// Which samples go through TokenAdapt: every second one, or the second half; the base half has one more.
    static func places(_ samples: Int, _ partner: Recipe.Partner, adapts: Bool) -> (base: [Int], adapted: [Int]) {
        guard adapts else { return (Array(0..<samples), []) }
        return switch partner {
        case .neighbour: ((0..<samples).filter { $0 % 2 == 0 }, (0..<samples).filter { $0 % 2 == 1 })
        case .mirror: (Array(0..<(samples + 1) / 2), Array((samples + 1) / 2..<samples))
        }
    }

    /// Mixes the maps and the targets of their samples.
    func mix(_ mixtures: [Mixture], _ partners: [Int], side: Int, channels: Int, _ batch: Batch) {
        let classes = batch.shape.targetClasses
        for (place, sample) in places.enumerated() {
            targets[place * classes..<(place + 1) * classes].copy(from: batch.target(sample))
        }
        Mixing.mix(
            .init(values: maps, count: side * side * channels, width: side, channels: channels),
            .init(values: targets, count: classes, width: classes), mixtures, partners, scratch: scratch)
        for (place, sample) in places.enumerated() {
            batch.target(sample).copy(from: targets[place * classes..<(place + 1) * classes])
        }
    }
}
