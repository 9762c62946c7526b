import Autodiff
import Batches
import Evaluation
import Kernels
import Layers
import Models
import Objectives
import Testing

/// One step of each CRATE-MAE: masks from given noise, every value listed, the loss, every gradient, the measurements.
@Suite struct CRATEAutoencoder {
    static let all = CRATEFile.files(holding: "input/noise", "output/pred")
    private let pool = WorkerPool(threads: 2)

    @Test func `there are auto-encoders to compare`() { #expect(!Self.all.isEmpty) }

    @Test(arguments: all)
    func `an auto-encoder gives the reference's values and gradients`(_ golden: CRATEFile) throws {
        let graph = Graph()
        let stored = try golden.shape("input/images")
        let images = graph.apply(
            TrainedInput(graph.scope, "images", [stored[0], stored[2], stored[3], stored[1]]))
        let objective = try golden.autoencoder(graph)
        let encoder = try #require(objective.encoder as? MaskedCRATE)
        let shown = objective.inputs(graph, batch: stored[0])
        let mask = try #require(shown.mask)
        let batch = BatchTensors(images: images, mask: mask)
        let (encoding, decoding) = objective.predict(batch)
        // The reference's targets pass no gradient on.
        let target = objective.target(shown)
        let loss = objective.loss(of: decoding.pixels, target, batch)
        var wanted = [
            "patch_tokens": encoding.patches, "enc_in": encoding.tokens, "latent": encoding.output,
            "dec_norm": decoding.normed, "pred": decoding.pixels, "target": target,
        ]
        wanted["patchify"] = PixelPatches(height: encoder.patch, width: encoder.patch)(shown.images)
        wanted["pred_image"] = RestoredPixels(channels: stored[1])(decoding.pixels)
        for (index, layer) in encoding.layers.enumerated() {
            wanted["enc_half.\(index)"] = layer.half
            wanted["enc.\(index)"] = layer.output
            wanted["u.\(index)"] = layer.projected
        }
        for (index, layer) in decoding.layers.enumerated() {
            wanted["dec_lin.\(index)"] = layer.linear
            wanted["dec.\(index)"] = layer.output
        }
        let store = ParameterStore(graph, minimising: loss.sum, seed: 0, pool: pool)
        try golden.load(into: store, except: ["images"])
        try #require(store.value("images")).copy(from: golden.pixels("input/images"))
        let kept = Array(wanted.values) + [loss.sum, loss.weight]
        let plan = try Plan(graph, minimising: loss.sum, keeping: kept, store: store, pool: pool)
        let masks = try golden.masks(objective)
        plan.set(shown.images, Floats(try golden.pixels("input/images")))
        plan.set(mask, Floats(masks.flatMap(\.mask)))
        plan.forward()
        plan.backward()

        let measurements = LayerMeasurements(
            encoding.layers.map { ($0.projected, $0.output) }, sizes: encoder.sizes)
        measurements.add(plan, samples: stored[0], pool: pool)
        try compare(golden, measurements.layers)
        let weight = plan.value(of: loss.weight)[0]
        for name in golden.parts(after: "output/") where !isMeasurement(name) {
            let reference = try golden.file.tensor("output/\(name)")
            switch name {
            case "ids_shuffle": #expect(masks.flatMap(\.shuffle) == reference.integers)
            case "ids_restore": #expect(masks.flatMap(\.restore) == reference.integers)
            case "ids_keep": #expect(masks.flatMap(\.keep) == reference.integers)
            case "mask": #expect(masks.flatMap(\.mask) == reference.floats)
            case "loss":
                expectWithin(CRATETolerance.loss, [plan.value(of: loss.sum)[0] / weight], reference.floats, name)
            case "loss_per_patch":
                let (x, t) = (plan.value(of: decoding.pixels).array, plan.value(of: target).array)
                let ours = errors(x, t, patch: x.count / reference.floats.count)
                expectWithin(CRATETolerance.output, ours, reference.floats, name)
            case "pred_image":
                let (rows, image) = (plan.value(of: try #require(wanted[name])), Floats(zeros: stored.reduce(1, *)))
                pool.unpatchify(
                    rows, into: image, batch: stored[0], height: stored[2], width: stored[3], channels: stored[1],
                    patch: encoder.patch)
                expectWithin(CRATETolerance.output, image.array, try golden.pixels("output/\(name)"), name)
            default:
                let ours = plan.value(of: try #require(wanted[name], "\(name): nothing is compared with it"))
                expectWithin(CRATETolerance.output, ours.array, reference.floats, name)
            }
        }
        let names = golden.parts(after: "grad/")
        #expect(Set(names + ["images"]) == Set(store.trainableSlots.map(\.parameter.name)))
        for name in golden.config.no_grad_parameters ?? [] {
            #expect(store.value(name) != nil && store.gradient(name) == nil, "\(name)")
        }
        for name in names {
            let ours = try #require(store.gradient(name)).array.map { $0 / weight }
            expectWithin(CRATETolerance.gradient, ours, try golden.floats("grad/\(name)"), "gradient of \(name)")
        }
        let ours = try #require(store.gradient("images")).array.map { $0 / weight }
        expectWithin(CRATETolerance.gradient, ours, try golden.pixels("grad_input/images"), "gradient of the images")
    }

    /// Mean squared error of each patch.
    private func errors(_ x: [Float], _ t: [Float], patch: Int) -> [Float] {
        stride(from: 0, to: x.count, by: patch).map { start in
            let sum = (start..<start + patch).reduce(0.0) { $0 + Double(x[$1] - t[$1]) * Double(x[$1] - t[$1]) }
            return Float(sum / Double(patch))
        }
    }
}

/// What the reference makes of one row of noise.
struct NoiseMask {
    let shuffle, restore, keep: [Int]
    /// 1 = masked.
    let mask: [Float]
}

extension CRATEFile {
    /// The masks of `input/noise`, whose last extent is the patches of an image: the order that sorts the noise is ours
    /// read backwards, since `CellMasking` masks the first of its order and the reference keeps them.
    func masks(_ objective: CRATEMAE) throws -> [NoiseMask] {
        let noise = try file.tensor("input/noise")
        let mask = try #require(objective.masking as? CellMasking)
        let (patches, values) = (try #require(noise.shape.last), noise.floats)
        if let kept = config.len_keep { #expect(patches - mask.maskedCells == kept) }
        return stride(from: 0, to: values.count, by: patches).map { start in
            // Ties in the order of their index.
            let order = (0..<patches).sorted { (values[start + $0], $0) < (values[start + $1], $1) }
            var restore = order
            for (place, patch) in order.enumerated() { restore[patch] = place }
            let floats = Floats(zeros: patches)
            mask.draw(order: order.reversed(), into: floats)
            return NoiseMask(
                shuffle: order, restore: restore, keep: Array(order.prefix(patches - mask.maskedCells)),
                mask: floats.array)
        }
    }
}
