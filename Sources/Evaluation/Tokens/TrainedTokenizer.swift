import Autodiff
public import Batches
import Checkpoints
import Glibc
public import Kernels
import Models
public import Objectives
public import Recipes
public import Training

/// A trained tokenizer, looked at from outside: the ids of images, and the pixels that come back from them. Images are cut as
/// in evaluation.
public final class TrainedTokenizer {
    /// Tokens along a side of an image.
    public let side: Int
    /// The vectors of the codes as the quantiser compares them, (K, D).
    public let codes: Floats
    public let width: Int
    public let metric: Codebook.Metric
    /// One number for all weights: what a token set remembers of its tokenizer.
    public let hash: UInt64
    private let model: LoadedModel
    private let ids: Tensor
    private let rows: Tensor?
    private let patch: Int
    private let plan: Plan
    private let pool: WorkerPool

    /// - Parameters:
    ///   - batch: images computed at once.
    ///   - drawsPixels: the way back is computed too.
    public init(
        _ recipe: Recipe, weights: LoadedModel.Weights, batch: Int = 64, drawsPixels: Bool = false, pool: WorkerPool
    ) throws {
        model = try LoadedModel(recipe, samples: batch, classes: 0, weights: weights, pool: pool)
        guard let tokenizer = model.objective as? VQTokenizer, let output = model.experiment.loss.quantized?.output
        else { throw EvaluationError.noTokens(method: recipe.objective.kind) }
        let settings = tokenizer.quantizer.settings
        (side, width, ids) = (tokenizer.encoder.grid.side, settings.width, output.ids)
        (codes, metric) = try Self.codes(tokenizer.quantizer, model.store, place: weights.place)
        rows = drawsPixels ? tokenizer.pixels(output.values) : nil
        patch = tokenizer.encoder.grid.stride
        plan = try model.plan(keeping: [ids] + (rows.map { [$0] } ?? []))
        hash = model.store.hash
        self.pool = pool
    }

    public var recipe: Recipe { model.recipe }

    private static func codes(
        _ quantizer: VectorQuantizer, _ store: ParameterStore, place: String
    ) throws(EvaluationError) -> (Floats, Codebook.Metric) {
        let scope = "quantizer."
        switch quantizer.settings.kind {
        case .average(let isDistance):
            guard let codes = store.buffer(scope + VectorQuantizer.codebookName),
                let updates = store.buffer(scope + VectorQuantizer.updatesName), updates[0] > 0
            else { throw .noCodebook(place: place) }
            return (Floats(codes.array), isDistance ? .euclidean : .cosine)
        case .gradient:
            guard let codes = store.value(scope + "embedding.weight") else { throw .noCodebook(place: place) }
            return (Floats(codes.array), .cosine)
        case .levels: return (Floats(quantizer.fixedCodes ?? []), .levels)
        }
    }

    /// Errors of the images that come back from their ids.
    public struct Scores: Sendable, Equatable {
        public let images: Int
        /// Over pixels 0...1: −10·log10 of the mean square error, decibels; and the mean absolute error.
        public let psnr, absoluteError: Double
        public let use: CodebookUsage
    }

    /// Over at most `images` samples, chosen at random.
    /// - Parameter progress: called with samples done and samples in all; may throw to end it.
    public func scores(
        on source: any SampleSource, images: Int, progress: (Int, Int) throws -> Void = { _, _ in }
    ) throws -> Scores {
        let choice = Choice(of: min(images, source.count), from: source, seed: recipe.seed)
        var (squares, sizes, done) = (0.0, 0.0, 0)
        var counts = [Int](repeating: 0, count: codes.count / width)
        let normalisation = recipe.evaluationTransform.normalisation
        try forEachBatch(of: choice) { batch, ids, pixels, _ in
            guard let pixels else { preconditionFailure("a tokenizer that draws no pixels has no error") }
            for place in 0..<batch.count * side * side { counts[Int(ids[place])] += 1 }
            for place in 0..<batch.count * batch.shape.imageCount {
                let error = Double(pixels[place] - batch.images[place]) * normalisation.std[place % 3]
                squares += error * error
                sizes += abs(error)
            }
            done += batch.count
            try progress(done, choice.count)
        }
        let pixels = Double(done * model.images.shape.count / model.images.shape[0])
        return Scores(
            images: done, psnr: -10 * log10(max(squares / pixels, 1e-12)), absoluteError: sizes / pixels,
            use: CodebookUsage(counts))
    }

    /// A sheet with `count` samples and what comes back from their ids.
    public func images(of source: any SampleSource, count: Int) throws -> ImageGrid {
        let choice = Choice(of: min(count, source.count), from: source, seed: recipe.seed)
        let size = recipe.images.size
        let grid = ImageGrid(samples: choice.count, titles: ["original", "from its ids"], inputSide: size)
        let normalisation = recipe.evaluationTransform.normalisation
        var drawn = 0
        try forEachBatch(of: choice) { batch, _, pixels, _ in
            guard let pixels else { preconditionFailure("a tokenizer that draws no pixels has no images") }
            for slot in 0..<batch.count {
                let range = slot * batch.shape.imageCount..<(slot + 1) * batch.shape.imageCount
                let images = [batch.image(slot), pixels[range]]
                for (number, floats) in images.enumerated() {
                    grid.draw(normalisation.restore(floats, height: size, width: size), sample: drawn, number: number)
                }
                drawn += 1
            }
        }
        return grid
    }

    /// Goes through a set in its order; a sample that cannot be read is an error.
    /// - Parameter body: gets a batch, the ids (B, n·n) as floats and the pixels that come back, (B, H, W, C). Empty slots at the
    ///   end of the set hold ids too. May set `stop`.
    func forEachBatch(
        of source: any SampleSource,
        _ body: (Batch, _ ids: Floats, _ pixels: Floats?, _ stop: inout Bool) throws -> Void
    ) throws {
        let shape = model.images.shape
        let pixels = rows.map { _ in Floats(zeros: shape.count) }
        try model.forEachBatch(of: source, tolerance: Tolerance(share: 0, always: 0)) { batch, _, stop in
            model.forward(plan, batch.images)
            if let rows, let pixels {
                pool.unpatchify(
                    plan.value(of: rows), into: pixels, batch: shape[0], height: shape[1], width: shape[2],
                    channels: shape[3], patch: patch)
            }
            try body(batch, plan.value(of: ids), pixels, &stop)
        }
    }
}
