import Autodiff
public import Batches
import Checkpoints
public import Kernels
import Objectives
public import Recipes
public import Training

/// A trained method that predicts masked pixels, looked at from outside: images of what it predicts, and how far off
/// that is. Images are cut as in evaluation, and the same are masked in every call: each by its place in the choice.
public final class Reconstruction {
    /// Titles of a sample's images, from left to right.
    static let titles = ["original", "masked", "reconstruction"]

    /// Mean |x − x̂| of normalised pixels over all that was masked.
    public struct MaskedError: Sendable, Equatable {
        public let value: Double
        public let images: Int
    }

    private let source: any SampleSource
    private let masking: any Masking
    private let model: LoadedModel
    private let rows: PixelRows
    private let plan: Plan
    private let pool: WorkerPool

    /// - Parameters:
    ///   - source: the samples to look at.
    ///   - batch: samples computed at once.
    public init(
        _ recipe: Recipe, _ source: any SampleSource, batch: Int = 32, weights: LoadedModel.Weights, pool: WorkerPool
    ) throws {
        model = try LoadedModel(
            recipe, samples: max(1, min(batch, source.count)), classes: source.classes?.count ?? 0, weights: weights,
            pool: pool)
        guard let masking = model.objective.masking, let rows = model.objective.reconstruction(model.experiment.batch)
        else { throw EvaluationError.noPixels(method: recipe.objective.kind) }
        plan = try model.plan(keeping: [rows.rows])
        (self.source, self.masking, self.rows, self.pool) = (source, masking, rows, pool)
    }

    /// A sheet with the four images of each of `count` samples.
    public func images(_ count: Int) throws -> ImageGrid {
        let count = min(count, source.count)
        let (recipe, side) = (model.recipe, model.recipe.images.size)
        let grid = ImageGrid(samples: count, titles: Self.titles, inputSide: side)
        let predicted = Floats(zeros: model.images.shape.count)
        var drawn = 0
        try forEachBatch(of: count) { batch, _ in
            pool.unpatchify(
                plan.value(of: rows.rows), into: predicted, batch: batch.shape.size, height: side, width: side,
                channels: 3, patch: rows.side)
            for slot in 0..<batch.count {
                let original = recipe.image(batch.image(slot))
                let range = slot * batch.shape.imageCount..<(slot + 1) * batch.shape.imageCount
                let prediction = recipe.image(predicted[range])
                let cells = MaskedCells(batch.mask(slot))
                grid.draw(original, sample: drawn, number: 0)
                grid.draw(cells.masked(original), sample: drawn, number: 1)
                grid.draw(cells.pasted(prediction, into: original), sample: drawn, number: 2)
                drawn += 1
            }
        }
        return grid
    }

    /// The error over at most `images` samples.
    /// - Parameter progress: called with samples done and samples in all; may throw to end it.
    public func maskedError(images: Int, progress: (Int, Int) throws -> Void = { _, _ in }) throws -> MaskedError {
        let images = min(images, source.count)
        let shape = model.images.shape
        let target = Floats(zeros: shape.count)
        let (size, side, channels) = (shape[0], shape[1], shape[3])
        let (cells, patch) = (side / rows.side, side / masking.side)
        let grid = PixelGrid(
            batch: size, height: cells, width: cells, channels: channels, stride: rows.side,
            maskPatch: patch)
        var (sum, maskedPixels) = (0.0, 0.0)
        try forEachBatch(of: images) { batch, done in
            pool.patchify(
                batch.images, into: target, batch: size, height: side, width: side, channels: channels,
                patch: rows.side)
            sum += pool.maskedAbsoluteError(plan.value(of: rows.rows), target, mask: batch.masks, grid: grid)
            maskedPixels += pool.sum(batch.masks) * Double(patch * patch)
            try progress(done, images)
        }
        return MaskedError(value: sum / (Double(channels) * (maskedPixels + 1e-5)), images: images)
    }

    /// Runs the model on the first `count` samples of the choice; empty slots of the last batch mask nothing.
    private func forEachBatch(of count: Int, _ body: (_ batch: Batch, _ done: Int) throws -> Void) throws {
        let choice = Choice(of: count, from: source, seed: model.recipe.seed)
        try model.forEachBatch(of: choice, masked: true) { batch, done, _ in
            model.forward(plan, batch.images, masks: batch.masks)
            try body(batch, done)
        }
    }
}
