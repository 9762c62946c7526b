import Autodiff
public import Batches
import Checkpoints
public import Cluster
public import Kernels
import Models
import Objectives
public import Recipes
public import Training

/// The encoder of a checkpoint, run over sets of images as in evaluation: nothing drawn, nothing masked, every branch
/// kept.
public final class FeatureExtractor {
    public let recipe: Recipe
    public let pieces: [FeaturePiece]
    /// Numbers in a feature vector.
    public let width: Int
    /// One number for all weights and running statistics.
    public let weightsHash: UInt64
    private let model: LoadedModel
    private let pooled: [Tensor]
    private let plan: Plan
    private let batch: Int

    /// - Parameters:
    ///   - spec: what to read of an encoder that offers so much.
    ///   - classes: of the data that the checkpoint was trained on; 0 without labels.
    ///   - batch: images computed at once by each rank.
    public init(
        _ recipe: Recipe, _ spec: (EncoderOutputs) -> FeatureSpec, classes: Int, weights: LoadedModel.Weights,
        batch: Int = 64, pool: WorkerPool
    ) throws {
        model = try LoadedModel(recipe, samples: batch, classes: classes, weights: weights, pool: pool)
        let maps = model.objective.encoder.outputs(model.images)
        let outputs = EncoderOutputs(maps, kind: recipe.kind)
        let found = try spec(outputs).pieces(maps, outputs)
        (pieces, pooled) = (found.map(\.0), found.map(\.1))
        width = pieces.last?.columns.upperBound ?? 0
        plan = try model.plan(keeping: pooled)
        weightsHash = model.store.hash
        (self.recipe, self.batch) = (recipe, batch)
    }

    /// Collective. What the cache knows, else what the encoder computes, each rank its part.
    /// - Parameters:
    ///   - cache: of rank 0; nil computes.
    ///   - progress: told the samples done and in all; may throw to end it.
    /// - Returns: nil on ranks other than 0.
    public func features(
        of source: any SampleSource, cache: FeatureCache?, over communicator: any Communicator,
        progress: (Int, Int) throws -> Void = { _, _ in }
    ) throws -> Features? {
        let key = FeatureCache.Key(self, source)
        let known = communicator.rank == 0 ? cache?.features(key, pieces: pieces, source) : nil
        guard try communicator.broadcast(known == nil ? "" : "known").isEmpty else { return known }
        let features = try compute(source, communicator, progress)
        if let features { cache?.keep(features, key) }
        return features
    }

    private func compute(
        _ source: any SampleSource, _ communicator: any Communicator, _ progress: (Int, Int) throws -> Void
    ) throws -> Features? {
        let (rank, ranks) = (communicator.rank, communicator.size)
        // Sample i lies in slot i mod batch for any number of ranks, so the bits do not depend on it.
        // Every rank writes its rows into a block of zeros; their sum is the block.
        let block = Floats(zeros: ranks * batch * width)
        let facts = Doubles(zeros: ranks * batch * 2)
        let table = FeatureTable(count: rank == 0 ? source.count : 0, width: width)
        var start = 0
        try model.forEachBatch(of: source, over: communicator) { made, done, _ in
            block.fill(0)
            facts.fill(0)
            if made.count > 0 {
                model.forward(plan, made.images)
                let own = rank * batch..<(rank + 1) * batch
                copyRows(made.count, into: block[own.lowerBound * width..<own.upperBound * width])
                for slot in 0..<made.count {
                    facts[2 * (own.lowerBound + slot)] = Double(made.samples[slot])
                    facts[2 * (own.lowerBound + slot) + 1] = Double(made.labels[slot])
                }
            }
            try communicator.sum(block)
            try communicator.sum(facts)
            if rank == 0 { table.put(block, facts, start: start, count: done - start) }
            start = done
            try progress(done, source.count)
        }
        return rank == 0 ? table.features(of: source, pieces) : nil
    }

    private func copyRows(_ count: Int, into block: Floats) {
        for (piece, tensor) in zip(pieces, pooled) {
            let (values, columns) = (plan.value(of: tensor), piece.columns)
            for slot in 0..<count {
                block[slot * width + columns.lowerBound..<slot * width + columns.upperBound]
                    .copy(from: values[slot * columns.count..<(slot + 1) * columns.count])
            }
        }
    }
}

/// The rows as they come in, in the order of the set.
private struct FeatureTable {
    let width: Int
    let values: Floats
    let samples, labels: Indices

    init(count: Int, width: Int) {
        self.width = width
        values = Floats(zeros: count * width)
        (samples, labels) = (Indices(zeros: count), Indices(zeros: count))
    }

    func put(_ block: Floats, _ facts: Doubles, start: Int, count: Int) {
        values[start * width..<(start + count) * width].copy(from: block[0..<count * width])
        for row in 0..<count {
            samples[start + row] = Int32(facts[2 * row])
            labels[start + row] = Int32(facts[2 * row + 1])
        }
    }

    /// Without the rows of substitutes: where a sample cannot be read, the loader puts another in its place.
    func features(of source: any SampleSource, _ pieces: [FeaturePiece]) -> Features {
        let rows = (0..<samples.count).filter { Int(samples[$0]) == $0 }
        for (place, row) in rows.enumerated() where place != row {
            values[place * width..<(place + 1) * width].copy(from: values[row * width..<(row + 1) * width])
        }
        return Features(
            name: source.name, values: values[0..<rows.count * width], pieces: pieces,
            labels: rows.map { Int(labels[$0]) }, samples: rows, classes: source.classes ?? [])
    }
}
