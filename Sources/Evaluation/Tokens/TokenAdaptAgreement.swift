import Autodiff
public import Batches
public import Checkpoints
public import Kernels
import Models
import Objectives
public import Recipes
import Training

/// How often TokenAdapt finds the ids of a moved image, beside the plain way: the same movement of the code vectors, whose
/// places then take the nearest code. Five kinds of movement, each on the same images.
public struct TokenAdaptAgreement: Sendable {
    public struct Row: Sendable, Equatable {
        /// `identity`, `flip`, `crop`, `affine` or `all`.
        public let name: String
        /// Share of places with the right id, 0...1.
        public let adapted, direct: Double
        /// Mean cosine between the code vectors that TokenAdapt found and the right ones.
        public let cosine: Double
    }

    public let rows: [Row]
    public let images: Int

    /// - Parameters:
    ///   - checkpoint: of a run of objective `token_adapt`.
    ///   - source: images that it has not learned from.
    ///   - images: at most so many, the first ones of a drawn order.
    ///   - progress: told what is done of all; may throw to end it.
    public init(
        _ recipe: Recipe, _ checkpoint: Checkpoint, on source: any SampleSource, images: Int, batch samples: Int = 64,
        pool: WorkerPool, progress: (Int, Int) throws -> Void = { _, _ in }
    ) throws {
        let model = try LoadedModel(recipe, samples: samples, classes: 0, weights: .saved(checkpoint), pool: pool)
        guard let objective = model.objective as? TokenAdaptation else {
            throw TrainingError.noScores(objective: recipe.objective.kind)
        }
        let scores = objective.predict(model.experiment.batch)
        let plan = try model.plan(keeping: [scores])
        let seen = source.atMost(images, seed: recipe.seed)
        let feed = try TokenAdaptFeed(nil, recipe, objective, samples: samples, pool: pool)
        let directly = DirectMovement(objective.network.settings, feed.codebook, samples: samples)
        var tallies = Kind.allCases.map { _ in Tally() }
        let found = Floats(zeros: samples * objective.settings.size * objective.settings.size)
        try model.forEachBatch(of: seen) { images, done, _ in
            for (place, kind) in Kind.allCases.enumerated() {
                var random = RandomStream(
                    seed: recipe.seed, purpose: .tokenAdapt, epoch: UInt32(place), sample: UInt64(images.update))
                let movements = kind.movements(feed.geometry, &random)
                let pairs = feed.fill(images, movements) { key in
                    var random = key.stream(.crop)
                    let crop = feed.geometry.crop(&random)
                    return kind.cuts ? crop.onWholeTokens : feed.centre
                }
                model.forward(plan, pairs.images, masks: pairs.masks)
                pool.largestColumns(
                    plan.value(of: scores), into: found, columns: objective.settings.codebookSize,
                    among: feed.codebook.count)
                let count = images.count * found.count / samples
                tallies[place].add(
                    found[0..<count], directly.ids(pairs, pool)[0..<count], pairs.targets[0..<count], feed.codebook)
            }
            try progress(done, seen.count)
        }
        rows = zip(Kind.allCases, tallies).map { $1.row($0.rawValue) }
        self.images = seen.count
    }

    private enum Kind: String, CaseIterable {
        case identity, flip, crop, affine, all

        var cuts: Bool { self == .crop || self == .all }

        func movements(_ geometry: TokenGeometry, _ random: inout RandomStream) -> [TokenGeometry.Movement] {
            switch self {
            case .identity, .crop: []
            case .flip: [.mirror]
            case .affine: geometry.affine(&random)
            case .all: geometry.movements(&random)
            }
        }
    }

    private struct Tally {
        private var adapted = 0, direct = 0, places = 0
        private var cosine = 0.0

        mutating func add(_ found: Floats, _ plain: Floats, _ right: Floats, _ codebook: Codebook) {
            for place in 0..<right.count {
                adapted += found[place] == right[place] ? 1 : 0
                direct += plain[place] == right[place] ? 1 : 0
                let (x, y) = (codebook[Int(found[place])], codebook[Int(right[place])])
                var (product, first, second) = (0.0, 0.0, 0.0)
                for index in 0..<x.count {
                    product += Double(x[index]) * Double(y[index])
                    first += Double(x[index]) * Double(x[index])
                    second += Double(y[index]) * Double(y[index])
                }
                cosine += product / max((first * second).squareRoot(), 1e-12)
            }
            places += right.count
        }

        func row(_ name: String) -> Row {
            let count = Double(max(places, 1))
            return Row(
                name: name, adapted: Double(adapted) / count, direct: Double(direct) / count, cosine: cosine / count)
        }
    }
}

extension MapCrop {
    /// The part whose edges lie between tokens of the map, at least one of them large.
    fileprivate var onWholeTokens: MapCrop {
        let patch = TokenAdapt.patch
        return MapCrop(
            top: top / patch * patch, left: left / patch * patch, height: max(height / patch, 1) * patch,
            width: max(width / patch, 1) * patch)
    }
}

/// The movements of feature maps done to code vectors instead.
private struct DirectMovement {
    private let settings: TokenAdapt.Settings
    private let codebook: Codebook
    private let codes, moved, scratch, ids, scores: Floats

    init(_ settings: TokenAdapt.Settings, _ codebook: Codebook, samples: Int) {
        (self.settings, self.codebook) = (settings, codebook)
        let places = settings.size * settings.size
        codes = codebook.metric == .cosine ? codebook.normalizedRows : codebook.rows
        moved = Floats(zeros: places * settings.width)
        scratch = Floats(zeros: 2 * settings.stored * settings.stored * settings.width)
        ids = Floats(zeros: samples * places)
        scores = Floats(zeros: WorkerPool.nearestScratch(rows: places, codes: codebook.count))
    }

    /// - Parameter pairs: code vectors and the movements of their feature maps.
    func ids(_ pairs: Batch, _ pool: WorkerPool) -> Floats {
        let places = settings.size * settings.size
        for sample in 0..<pairs.shape.size {
            MapGeometry.stored(pairs.masks, sample).smaller(by: TokenAdapt.patch).apply(
                pairs.image(sample), side: settings.stored, channels: settings.width, into: moved, settings.size,
                scratch: scratch)
            pool.nearestRows(
                moved, codes: codes, into: ids[sample * places..<(sample + 1) * places], width: settings.width,
                isDistance: codebook.metric != .cosine, scratch: scores)
        }
        return ids
    }
}
