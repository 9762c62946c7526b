package import Autodiff
package import Batches
package import Kernels
import Models
package import Recipes

/// Images made into the pairs that TokenAdapt learns from: the code vectors of an image, a movement, and the ids of the
/// image moved so. The tokenizer gives both; movements are drawn for the update, parts of images for each sample.
package final class TokenAdaptFeed: BatchFeed {
    /// Nil where somebody hands over the images.
    private let source: (any BatchFeed)?
    private let tokenizer: FrozenTokenizer
    private let settings: TokenAdaptation.Settings
    private let network: TokenAdapt.Settings
    package let codebook: Codebook
    package let geometry: TokenGeometry
    private let batch: Batch
    private let seed: UInt64
    /// Sides of an image and of a moved one, pixels.
    private let side, movedSide: Int
    /// What happens to the images, and room for moving each.
    private let places, scratch, moved: Floats
    private let ids: Floats
    private let pool: WorkerPool

    package init(
        _ source: (any BatchFeed)?, _ recipe: Recipe, _ objective: TokenAdaptation, samples: Int, pool: WorkerPool
    ) throws {
        let settings = objective.settings, network = objective.network.settings
        guard settings.patchSize % TokenAdapt.patch == 0 else {
            throw DataError(
                "objective.patch_size", found: "\(settings.patchSize)", expected: "an even number",
                hint: "a feature stands for half a token along each side")
        }
        let set = try TokenSet(settings.tokens)
        guard set.grid.codebook.count <= settings.codebookSize, set.grid.codebook.width == settings.codeDim,
            set.grid.side == network.stored
        else {
            throw DataError(
                set.path,
                found:
                    "\(set.grid.codebook.count) codes of \(set.grid.codebook.width) numbers, \(set.grid.side) a side",
                expected: "at most \(settings.codebookSize) of \(settings.codeDim), \(network.stored) a side",
                hint: "set objective.codebook_size, code_dim and patch_size, or take another set")
        }
        (side, movedSide) = (network.stored * settings.patchSize, settings.size * settings.patchSize)
        tokenizer = try FrozenTokenizer(
            settings.tokenizer, set, for: recipe, sides: [side, movedSide], samples: samples, pool: pool)
        codebook = set.grid.codebook
        geometry = TokenGeometry(side: TokenAdapt.patch * network.stored, area: settings.scale[0]...settings.scale[1])
        batch = Batch(
            BatchShape(
                size: samples, height: network.stored, width: network.stored, channels: network.width,
                maskCount: MapGeometry.floats, targetClasses: settings.size * settings.size))
        places = Floats(zeros: samples * MapGeometry.floats)
        scratch = Floats(zeros: samples * 2 * side * side * 3)
        moved = Floats(zeros: samples * movedSide * movedSide * 3)
        ids = Floats(zeros: samples * network.stored * network.stored)
        (self.source, self.settings, self.network, self.pool) = (source, settings, network, pool)
        seed = recipe.seed
    }

    /// Keeps the codes with the weights, so that these are never used with others.
    package func describe(in store: ParameterStore) {
        guard let rows = store.buffer(TokenAdapt.codebookName) else { return }
        rows.fill(0)
        rows[0..<codebook.rows.count].copy(from: codebook.rows)
    }

    package func next() throws -> Batch {
        guard let source else { preconditionFailure("somebody hands over the images") }
        let images = try source.next()
        defer { source.release(images) }
        var random = RandomStream(seed: seed, purpose: .tokenAdapt, sample: UInt64(images.update))
        let movesNothing = random.uniform() < settings.identity
        return fill(images, movesNothing ? [] : geometry.movements(&random)) { key in
            if movesNothing { return centre }
            var random = key.stream(.crop)
            return geometry.crop(&random)
        }
    }

    /// The middle of a feature map, as large as the model's grid.
    package var centre: MapCrop { .centre(TokenAdapt.patch * settings.size, of: geometry.side) }

    /// The pairs of a batch of images.
    /// - Parameters:
    ///   - movements: of all feature maps.
    ///   - crop: the part of each one.
    package func fill(
        _ images: Batch, _ movements: [TokenGeometry.Movement], crop: (SampleKey) -> MapCrop
    ) -> Batch {
        batch.takeSamples(of: images)
        tokenizer.ids(of: images.images, side: side, into: ids)
        let width = network.width
        for place in 0..<ids.count {
            batch.images[place * width..<(place + 1) * width].copy(from: codebook[Int(ids[place])])
        }
        move(movements, crop)
        pool.split(batch.shape.size, grain: 1, (images, places, moved, scratch, side, movedSide)) {
            arguments, samples in
            let (images, places, moved, scratch, side, movedSide) = arguments
            let (count, result) = (side * side * 3, movedSide * movedSide * 3)
            for sample in samples {
                MapGeometry.stored(places, sample).apply(
                    images.image(sample), side: side, channels: 3,
                    into: moved[sample * result..<(sample + 1) * result], movedSide,
                    scratch: scratch[2 * sample * count..<2 * (sample + 1) * count])
            }
        }
        tokenizer.ids(of: moved, side: movedSide, into: batch.targets)
        return batch
    }

    package func release(_ batch: Batch) {}

    /// Writes what happens to the feature maps, and the same for the images: positions are longer, angles the same.
    private func move(_ movements: [TokenGeometry.Movement], _ crop: (SampleKey) -> MapCrop) {
        let scale = settings.patchSize / TokenAdapt.patch
        let features = movements.map { $0.warp(side: geometry.side) }
        let pixels = movements.map { $0.warp(side: side, scale: Double(scale)) }
        for sample in 0..<batch.shape.size {
            let crop = crop(batch.key(sample, seed: seed))
            MapGeometry(crop, warps: features).write(to: batch.mask(sample))
            let part = MapCrop(
                top: crop.top * scale, left: crop.left * scale, height: crop.height * scale, width: crop.width * scale)
            MapGeometry(part, warps: pixels).write(
                to: places[sample * MapGeometry.floats..<(sample + 1) * MapGeometry.floats])
        }
    }
}
