import Autodiff
import Kernels
import Layers
import Models
import Objectives
import Testing

/// One step of each fixture: every value listed, the loss, every gradient.
@Suite struct SimMIMOutputs {
    static let pretraining = SimMIMFile.files(holding: "input/mask", "output/loss")
    static let classification = SimMIMFile.files(holding: "input/soft_targets", "output/logits")
    private let pool = WorkerPool(threads: 2)

    @Test(arguments: pretraining)
    func `pre-training gives the reference's values and gradients`(_ golden: SimMIMFile) throws {
        let graph = Graph()
        let objective = try golden.simMIM(graph)
        let images = try golden.file.tensor("input/images")
        let batch = objective.inputs(graph, batch: images.shape[0])
        var wanted = try values(objective.encoder, batch)
        let pixels = objective.predict(from: try #require(wanted["encoder"]))
        wanted["x_rec"] = pixels
        let loss = objective.loss(of: pixels, batch)

        let store = ParameterStore(graph, minimising: loss.sum, seed: 0, pool: pool)
        try golden.load(into: store)
        let kept = Array(wanted.values) + [loss.sum, loss.weight]
        let plan = try Plan(graph, minimising: loss.sum, keeping: kept, store: store, pool: pool)
        plan.set(batch.images, Floats(channelsLast(images.floats, images.shape)))
        plan.set(try #require(batch.mask), Floats(try golden.integers("input/mask").map { Float($0) }))
        plan.forward()
        plan.backward()

        let weight = Double(plan.value(of: loss.weight)[0])
        for name in golden.parts(after: "output/") {
            let stored = try golden.file.tensor("output/\(name)")
            if name == "loss" {
                expectWithin(1e-6, [Float(Double(plan.value(of: loss.sum)[0]) / weight)], stored.floats, "loss")
                continue
            }
            let ours = plan.value(of: try #require(wanted[name], "\(name): nothing is compared with it"))
            switch name {
            case "encoder": expectWithin(1e-5, ours.array, channelsLast(stored.floats, stored.shape), name)
            case "x_rec":
                let pixels = Floats(zeros: ours.count)
                let (side, image) = (objective.encoder.grid.stride, objective.input.image)
                pool.unpatchify(
                    ours, into: pixels, batch: stored.shape[0], height: image.side, width: image.side,
                    channels: image.channels, patch: side)
                expectWithin(1e-5, pixels.array, channelsLast(stored.floats, stored.shape), name)
            default: expectWithin(1e-5, ours.array, stored.floats, name)
            }
        }
        try compareGradients(golden, store, weight: weight)
    }

    @Test(arguments: classification)
    func `fine-tuning gives the reference's logits, losses and gradients`(_ golden: SimMIMFile) throws {
        let graph = Graph()
        let objective = try golden.classification(graph)
        let images = try golden.file.tensor("input/images")
        let batch = objective.inputs(graph, batch: images.shape[0])
        let (features, logits) = objective.predict(batch.images)
        let loss = objective.loss(of: logits, batch)
        // The other losses of the file read labels; the name of one gives its smoothing.
        let oneHot = graph.input("oneHot", logits.shape)
        var others: [String: Tensor] = [:]
        for name in golden.parts(after: "output/") where name.hasPrefix("loss_") {
            let smoothing = name == "loss_ce" ? 0 : try smoothing(in: name)
            others[name] = CrossEntropy(smoothing: smoothing)(logits, oneHot)
        }
        let store = ParameterStore(graph, minimising: loss.sum, seed: 0, pool: pool)
        try golden.load(into: store)
        let kept = [features, logits, loss.sum, loss.weight] + others.values
        let plan = try Plan(graph, minimising: loss.sum, keeping: kept, store: store, pool: pool)
        plan.set(batch.images, Floats(channelsLast(images.floats, images.shape)))
        plan.set(try #require(batch.targets), Floats(try golden.floats("input/soft_targets")))
        if !others.isEmpty {
            let hot = Floats(zeros: logits.shape.count)
            for (row, label) in try golden.integers("input/labels").enumerated() {
                hot[row * logits.shape[1] + label] = 1
            }
            plan.set(oneHot, hot)
        }
        plan.forward()
        plan.backward()

        let weight = Double(plan.value(of: loss.weight)[0])
        for name in golden.parts(after: "output/") {
            let reference = try golden.floats("output/\(name)")
            switch name {
            case "features": expectWithin(1e-5, plan.value(of: features).array, reference, name)
            case "logits": expectWithin(1e-5, plan.value(of: logits).array, reference, name)
            default:
                let sum = name == "loss" ? loss.sum : try #require(others[name], "\(name): nothing is compared with it")
                expectWithin(1e-6, [Float(Double(plan.value(of: sum)[0]) / weight)], reference, name)
            }
        }
        try compareGradients(golden, store, weight: weight)
    }

    private let gradientGate: Float = 1e-5

    /// Ours belong to the sum of the loss, the reference's to the mean.
    private func compareGradients(_ golden: SimMIMFile, _ store: ParameterStore, weight: Double) throws {
        let names = golden.parts(after: "grad/")
        #expect(Set(names) == Set(store.trainableSlots.map(\.parameter.name)))
        for name in names {
            let ours = try #require(store.gradient(name)).array.map { Float(Double($0) / weight) }
            let (rest, key) = ours.partedKeyBias(name)
            expectWithin(
                gradientGate, rest, try golden.floats("grad/\(name)").partedKeyBias(name).rest, "gradient of \(name)")
            #expect(key.allSatisfy { abs($0) <= 1e-6 }, "gradient of \(name), key part")
        }
    }

    /// Everything on the way through an encoder, under the names of the fixtures.
    private func values(_ encoder: any Encoder, _ batch: BatchTensors) throws -> [String: Tensor] {
        if let encoder = encoder as? VisionTransformer {
            let encoding = encoder.encode(batch.images, mask: batch.mask)
            var values = [
                "patch_embed": encoding.patches, "tokens_in": encoding.tokens,
                "encoder": encoder.features(of: encoding),
            ]
            for (index, block) in encoding.blocks.enumerated() { values["block\(index)"] = block }
            values["rel_pos_bias"] = encoding.sharedBias
            return values
        }
        let encoding = try #require(encoder as? SwinTransformer).encode(batch.images, mask: batch.mask)
        var values = ["patch_embed": encoding.patches, "tokens_in": encoding.tokens, "encoder": encoding.output]
        for (number, stage) in encoding.stages.enumerated() {
            values["stage\(number)"] = stage.output
            for (index, block) in stage.blocks.enumerated() {
                values["stage\(number)_block\(index)"] = block
                values["stage\(number)_block\(index)_attn_windows"] = stage.windows[index]
            }
        }
        return values
    }

    /// 0.1 of `loss_label_smoothing_0p1`.
    private func smoothing(in name: String) throws -> Double {
        let digits = try #require(name.split(separator: "_").last)
        return try #require(Double(digits.split(separator: "p").joined(separator: ".")), "\(name): no smoothing")
    }
}
