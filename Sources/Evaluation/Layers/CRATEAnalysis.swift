import Autodiff
public import Batches
import Checkpoints
public import Cluster
public import Kernels
import Layers
import Models
import Objectives
public import Recipes
public import Training

/// An encoder of CRATE layers looked into: what each layer does to the images of a sample, what its heads attend to,
/// and how its tokens vary. Images are cut as in evaluation and nothing is masked.
public final class CRATEAnalysis {
    private let source: any SampleSource
    private let model: LoadedModel
    private let encoder: any SubspaceEncoder
    private let encoding: CRATEEncoding
    private let pool: WorkerPool

    /// - Parameters:
    ///   - source: the samples to look at.
    ///   - batch: images computed at once by each rank.
    public init(
        _ recipe: Recipe, _ source: any SampleSource, batch: Int = 16, weights: LoadedModel.Weights, pool: WorkerPool
    ) throws {
        model = try LoadedModel(
            recipe, samples: max(1, min(batch, source.count)), classes: source.classes?.count ?? 0, weights: weights,
            pool: pool)
        guard let encoder = model.objective.encoder as? any SubspaceEncoder else {
            throw EvaluationError.noSubspaces(model: recipe.model.kind)
        }
        self.encoder = encoder
        encoding = encoder.encode(model.images)
        (self.source, self.pool) = (source, pool)
    }

    public var layerCount: Int { encoding.layers.count }
    public var heads: Int { encoder.sizes.heads }

    /// Collective. The measurements of every layer over a choice of samples, each rank its part.
    /// - Parameter progress: told the samples done and in all; may throw to end it.
    public func measurements(
        images: Int, epsilon: Double = 0.01, over communicator: any Communicator,
        progress: (Int, Int) throws -> Void = { _, _ in }
    ) throws -> LayerMeasurements {
        let measurements = LayerMeasurements(
            encoding.layers.map { ($0.projected, $0.output) }, sizes: encoder.sizes, epsilon: epsilon)
        let images = min(images, source.count)
        try forEachBatch(of: images, keeping: measurements.wanted, over: communicator) { plan, batch, done in
            measurements.add(plan, samples: batch.count, pool: pool)
            try progress(done, images)
        }
        try measurements.sum(over: communicator)
        return measurements
    }

    /// A sheet with, for each of `count` samples, the image and what the class token attends to in each head.
    /// - Parameter layer: 0 first.
    public func attention(_ count: Int, layer: Int) throws -> ImageGrid {
        let weights = SubspaceAttentionWeights(heads: heads)(encoding.layers[layer].projected)
        let (count, tokens) = (min(count, source.count), encoder.patches.count + 1)
        let grid = ImageGrid(
            samples: count, titles: ["image"] + (1...heads).map { "head \($0)" }, inputSide: model.recipe.images.size)
        var drawn = 0
        try forEachBatch(of: count, keeping: [weights], over: SingleProcess()) { plan, batch, _ in
            let values = plan.value(of: weights)
            for slot in 0..<batch.count {
                grid.draw(model.recipe.image(batch.image(slot)), sample: drawn, number: 0)
                let own = values[slot * heads * tokens * tokens..<(slot + 1) * heads * tokens * tokens]
                let maps = TokenImages.classAttention(own, heads: heads, tokens: tokens)
                for (head, map) in maps.enumerated() {
                    draw([map], on: grid, sample: drawn, number: head + 1)
                }
                drawn += 1
            }
        }
        return grid
    }

    /// A sheet with, for each of `count` samples, the image, the first component of its tokens in the subspaces in
    /// grey and the next three as red, green and blue.
    /// - Parameter layer: 0 first.
    public func components(_ count: Int, layer: Int) throws -> ImageGrid {
        let projected = encoding.layers[layer].projected
        let (count, tokens) = (min(count, source.count), encoder.patches.count + 1)
        let grid = ImageGrid(
            samples: count, titles: ["image", "component 1", "components 2, 3, 4"], inputSide: model.recipe.images.size)
        var rows: [[[Double]]] = []
        try forEachBatch(of: count, keeping: [projected], over: SingleProcess()) { plan, batch, _ in
            for slot in 0..<batch.count {
                grid.draw(model.recipe.image(batch.image(slot)), sample: rows.count + slot, number: 0)
            }
            let values = plan.value(of: projected)
            rows += TokenImages.patches(
                values[0..<values.count / batch.shape.size * batch.count], samples: batch.count, tokens: tokens)
        }
        let found = TokenImages.components(rows, count: min(4, projected.shape[2]), pool: pool)
        for (sample, coordinates) in found.coordinates.enumerated() {
            draw(Array(coordinates.prefix(1)), on: grid, sample: sample, number: 1)
            draw(Array(coordinates.dropFirst()), on: grid, sample: sample, number: 2)
        }
        return grid
    }

    private func draw(_ channels: [[Double]], on grid: borrowing ImageGrid, sample: Int, number: Int) {
        let image = TokenImages.image(channels.map(TokenImages.scaled), side: encoder.grid.side)
        grid.draw(image, sample: sample, number: number)
    }

    /// Runs the encoder on the first `count` samples of the choice, each rank on its part.
    private func forEachBatch(
        of count: Int, keeping wanted: [Tensor], over communicator: any Communicator,
        _ body: (_ plan: Plan, _ batch: Batch, _ done: Int) throws -> Void
    ) throws {
        let plan = try model.plan(keeping: wanted)
        let choice = Choice(of: count, from: source, seed: model.recipe.seed)
        try model.forEachBatch(of: choice, over: communicator) { batch, done, _ in
            guard batch.count > 0 else { return }
            model.forward(plan, batch.images)
            try body(plan, batch, done)
        }
    }
}
