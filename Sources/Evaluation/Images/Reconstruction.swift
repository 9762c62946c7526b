import Autodiff
public import Batches
public import Checkpoints
public import Kernels
import Objectives
public import Recipes
import Training

/// A trained method that predicts hidden pixels, looked at from outside: images of what it predicts, and how far off
/// that is. Images are cut as in evaluation, and the same are hidden in every call: each by its place in the choice.
public final class Reconstruction {
    /// What the images of a sample are, from left to right.
    static let titles = ["original", "masked", "reconstruction"]

    /// Mean |x − x̂| of normalised pixels over all that was hidden.
    public struct MaskedError: Sendable, Equatable {
        public let value: Double
        public let images: Int
    }

    private let recipe: Recipe
    private let source: any SampleSource
    private let hiding: CellHiding
    private let experiment: Experiment
    private let rows: PixelRows
    private let plan: Plan
    private let pool: WorkerPool

    /// - Parameters:
    ///   - source: the samples to look at.
    ///   - batch: samples computed at once.
    ///   - checkpoint: nil leaves the weights at their start.
    public init(
        _ recipe: Recipe, _ source: any SampleSource, batch: Int = 32, weights checkpoint: Checkpoint?,
        averaged: Bool = false, pool: WorkerPool
    ) throws {
        experiment = try Experiment(
            recipe, samples: max(1, min(batch, source.count)), classes: source.classes?.count ?? 0)
        guard let hiding = experiment.objective.hiding,
            let rows = experiment.objective.reconstruction(experiment.batch)
        else { throw EvaluationError.noPixels(method: recipe.objective.kind) }
        let store = ParameterStore(experiment.graph, minimising: nil, seed: recipe.seed, pool: pool)
        if let checkpoint { try store.load(checkpoint, averaged: averaged) }
        plan = try Plan(experiment.graph, minimising: nil, keeping: [rows.rows], store: store, pool: pool)
        (self.recipe, self.source, self.hiding, self.rows, self.pool) = (recipe, source, hiding, rows, pool)
    }

    /// A sheet with the four images of each of `count` samples.
    public func images(_ count: Int) throws -> ImageGrid {
        let count = min(count, source.count)
        let side = recipe.images.size
        let grid = ImageGrid(samples: count, titles: Self.titles, inputSide: side)
        let predicted = Floats(zeros: experiment.batch.images.shape.count)
        var drawn = 0
        try forEachBatch(of: count) { batch in
            pool.unpatchify(
                plan.value(of: rows.rows), into: predicted, batch: batch.shape.size, height: side, width: side,
                channels: 3, patch: rows.side)
            for slot in 0..<batch.count {
                let original = recipe.image(batch.image(slot))
                let range = slot * batch.shape.imageCount..<(slot + 1) * batch.shape.imageCount
                let prediction = recipe.image(predicted[range])
                let hidden = MaskedCells(batch.mask(slot))
                grid.draw(original, sample: drawn, number: 0)
                grid.draw(hidden.masked(original), sample: drawn, number: 1)
                grid.draw(hidden.pasted(prediction, into: original), sample: drawn, number: 2)
                drawn += 1
            }
        }
        return grid
    }

    /// The error over at most `images` samples.
    /// - Parameter progress: called with samples done and samples in all; may throw to end it.
    public func maskedError(images: Int, progress: (Int, Int) throws -> Void = { _, _ in }) throws -> MaskedError {
        let images = min(images, source.count)
        let shape = experiment.batch.images.shape
        let target = Floats(zeros: shape.count)
        let (size, side, channels) = (shape[0], shape[1], shape[3])
        let cells = side / rows.side
        let grid = PixelGrid(
            batch: size, height: cells, width: cells, channels: channels, stride: rows.side,
            maskPatch: hiding.patchSide)
        var (sum, hiddenPixels, done) = (0.0, 0.0, 0)
        try forEachBatch(of: images) { batch in
            pool.patchify(
                batch.images, into: target, batch: size, height: side, width: side, channels: channels,
                patch: rows.side)
            sum += pool.maskedAbsoluteError(plan.value(of: rows.rows), target, mask: batch.masks, grid: grid)
            hiddenPixels += pool.sum(batch.masks) * Double(hiding.patchSide * hiding.patchSide)
            done += batch.count
            try progress(done, images)
        }
        return MaskedError(value: sum / (Double(channels) * (hiddenPixels + 1e-5)), images: done)
    }

    /// Runs the model on the first `count` samples of the choice; empty slots of the last batch hide nothing.
    private func forEachBatch(of count: Int, _ body: (Batch) throws -> Void) throws {
        let choice = Choice(of: count, from: source, seed: recipe.seed)
        let size = experiment.batch.images.shape[0]
        let sampler = try Sampler(count: choice.count, globalBatch: size, order: .stored)
        let loader = try Loader(
            choice, sampler, BatchCut(), recipe.loaderSettings(recipe.evaluationTransform, hiding: hiding),
            updates: 0..<sampler.updatesPerEpoch)
        defer { loader.stop() }
        for site in experiment.graph.dropPaths {
            plan.set(site.factors, Floats([Float](repeating: 1, count: site.factors.shape.count)))
        }
        for _ in 0..<sampler.updatesPerEpoch {
            let batch = try loader.next()
            plan.set(experiment.batch.images, batch.images)
            if let mask = experiment.batch.mask { plan.set(mask, batch.masks) }
            plan.forward()
            try body(batch)
            loader.release(batch)
        }
    }
}
