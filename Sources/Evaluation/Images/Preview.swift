public import Batches
import Kernels
import Objectives
public import Recipes
import Training

extension Recipe {
    /// A sheet with the first samples that a run would see, as its loader gives them to the model: the image, what the
    /// augmentations make of it, and that with its masked parts grey.
    public func preview(of source: any SampleSource, count: Int) throws -> ImageGrid {
        let count = min(count, source.count)
        let masking = try Experiment(self, samples: 1, classes: source.classes?.count ?? 0).objective.masking
        let titles = ["original", "augmented"] + (masking == nil ? [] : ["masked"])
        let grid = ImageGrid(samples: count, titles: titles, inputSide: images.size)
        // The order does not depend on the batch, so a small one begins like the recipe's own; an even one can be mixed.
        let sampler = try Sampler(
            count: source.count, globalBatch: count + count % 2, order: .shuffled(seed: seed), wraps: true)
        let settings = loaderSettings(trainingTransform, masking: masking, classes: source.classes?.count ?? 0)
        let loader = try Batches.Loader(source, sampler, BatchCut(), settings, updates: 0..<1)
        defer { loader.stop() }
        let batch = try loader.next()
        var original = Image()
        var memory = ReadMemory()
        for slot in 0..<count {
            try source.read(Int(batch.samples[slot]), into: &original, using: &memory)
            grid.draw(original, sample: slot, number: 0)
            let input = trainingTransform.normalisation.restore(
                batch.image(slot), height: images.size, width: images.size)
            grid.draw(input, sample: slot, number: 1)
            if masking != nil { grid.draw(MaskedCells(batch.mask(slot)).masked(input), sample: slot, number: 2) }
        }
        loader.release(batch)
        return grid
    }
}
