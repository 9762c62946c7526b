public import Batches
public import Kernels
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
        let loader = try Loader(source, sampler, BatchCut(), settings, updates: 0..<1)
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

/// Squares of an image that a mask covers.
public struct MaskedCells: Sendable {
    /// (n, n), 1 = masked.
    private let mask: Floats
    private let side: Int
    private static let grey: UInt8 = 128

    public init(_ mask: Floats) {
        self.mask = mask
        side = Int(Double(mask.count).squareRoot().rounded())
        precondition(side * side == mask.count && side > 0, "a mask is a square of cells")
    }

    /// The image with grey instead of what is masked.
    public func masked(_ image: borrowing Image) -> Image {
        let result = Image(height: image.height, width: image.width, bytes: image.bytes)
        forEachByte(of: result) { result.bytes[$0] = Self.grey }
        return result
    }

    /// The image with `other` where it is masked.
    public func pasted(_ other: borrowing Image, into image: borrowing Image) -> Image {
        precondition(other.height == image.height && other.width == image.width, "images of one size")
        let result = Image(height: image.height, width: image.width, bytes: image.bytes)
        let from = other.bytes
        forEachByte(of: result) { result.bytes[$0] = from[$0] }
        return result
    }

    private func forEachByte(of image: borrowing Image, _ body: (Int) -> Void) {
        let (height, width) = (image.height, image.width)
        for y in 0..<height {
            for x in 0..<width where mask[y * side / height * side + x * side / width] > 0 {
                for byte in (y * width + x) * 3..<(y * width + x) * 3 + 3 { body(byte) }
            }
        }
    }
}
