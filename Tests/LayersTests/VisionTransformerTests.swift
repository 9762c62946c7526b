import AllocationCounter
import Autodiff
import Kernels
import Models
import Objectives
import Testing

@Suite struct VisionTransformerTests {
    /// From the SimMIM specification, section 7: parameters with the decoder, and of a classifier with 1,000 classes.
    @Test(arguments: [
        (VisionTransformer.Size.small, 21_895_080, 22_032_328), (.base, 86_256_720, 86_530_984),
        (.large, 303_924_416, 304_430_568),
    ])
    func `a model has as many parameters as the reference`(
        size: VisionTransformer.Size, pretraining: Int, classification: Int
    ) throws {
        var settings = VisionTransformer.Settings(size, patch: 16)
        settings.usesSharedPositionBias = true
        let input = InputSpec(image: ImageSpec(side: 224), classes: 1000)
        let graph = Graph()
        _ = try SimMIM(.init(maskRatio: 0.6, maskPatchSize: 32), settings, graph.scope, input)
        #expect(graph.parameters.reduce(0) { $0 + $1.shape.count } == pretraining)
        settings.usesSharedPositionBias = false
        settings.usesBlockPositionBias = true
        settings.pooling = .mean
        let classifier = Graph()
        _ = try Classification(.init(labelSmoothing: 0.1), settings, classifier.scope, input)
        #expect(classifier.parameters.reduce(0) { $0 + $1.shape.count } == classification)
    }

    /// Values that do not change over the grid stay; the class token's row is copied.
    @Test func `absolute positions fit another image size`() throws {
        var settings = VisionTransformer.Settings(.micro, patch: 4)
        settings.usesAbsolutePositions = true
        let encoder = try settings.encoder(Graph().scope, image: ImageSpec(side: 32), for: .classification)
        let width = encoder.grid.width
        let values = (0..<50 * width).map { $0 < width ? -1 : Float($0 % width) }
        let found = try #require(
            encoder.converted(["pos_embed": StoredWeights(shape: [1, 50, width], values: values)])["pos_embed"])
        #expect(found.shape == [1, 65, width])
        let expected = (0..<65 * width).map { $0 < width ? -1 : Float($0 % width) }
        #expect(zip(found.values, expected).allSatisfy { abs($0 - $1) < 1e-3 })
    }

    @Test func `operations declare the multiply-adds of the specification`() throws {
        let step = try Step(size: .small, patch: 16, side: 224, batch: 1, pool: WorkerPool(threads: 2))
        let products = step.plan.report.rows.reduce(0) { $0 + $1.flops } / 2
        #expect(abs(Double(products) / (4.598e9 + 0.058e9) - 1) < 5e-4)
    }

    @Test(arguments: [1, 3]) func `a step allocates nothing`(threads: Int) throws {
        let step = try Step(size: .micro, patch: 4, side: 16, batch: 5, pool: WorkerPool(threads: threads))
        step.run()
        let before = allocations_of_this_thread()
        step.run()
        let after = allocations_of_this_thread()
        #expect(before > 0, "the counter is not linked in")
        #expect(after == before)
    }

    @Test func `a step has the same bits on any number of threads`() throws {
        let gradients = try [1, 2, 3].map { threads in
            let step = try Step(size: .micro, patch: 4, side: 16, batch: 5, pool: WorkerPool(threads: threads))
            step.run()
            return step.store.gradients.array
        }
        #expect(gradients[0] == gradients[1] && gradients[0] == gradients[2])
        #expect(gradients[0].contains { $0 != 0 })
    }

    @Test func `the pixels of a hidden patch do not reach the prediction`() throws {
        let step = try Step(size: .micro, patch: 4, side: 16, batch: 2, pool: WorkerPool(threads: 1))
        step.run()
        let (first, loss) = (step.plan.value(of: step.pixels).array, step.loss)
        // Patch 0 of each sample is hidden, patch 1 is shown.
        step.images[0] += 1
        step.run()
        #expect(step.plan.value(of: step.pixels).array == first)
        #expect(step.loss != loss)
        step.images[4 * 3] += 1
        step.run()
        #expect(step.plan.value(of: step.pixels).array != first)
    }

    @Test func `sums and weights of single samples add up to those of the batch`() throws {
        let pool = WorkerPool(threads: 1)
        let whole = try Step(size: .micro, patch: 4, side: 16, batch: 3, pool: pool)
        whole.run()
        var sum = 0.0, weight = 0.0
        let gradients = Floats(zeros: whole.store.gradients.count)
        for sample in 0..<3 {
            let part = try Step(size: .micro, patch: 4, side: 16, batch: 1, pool: pool)
            let (pixels, cells) = (part.images.count, part.mask.count)
            part.images.copy(from: whole.images[sample * pixels..<(sample + 1) * pixels])
            part.mask.copy(from: whole.mask[sample * cells..<(sample + 1) * cells])
            part.run()
            sum += Double(part.plan.value(of: part.total.sum)[0])
            weight += Double(part.plan.value(of: part.total.weight)[0])
            pool.copy(part.store.gradients, into: gradients, adding: true)
        }
        #expect(abs(sum / Double(whole.plan.value(of: whole.total.sum)[0]) - 1) < 1e-6)
        #expect(abs(weight / Double(whole.plan.value(of: whole.total.weight)[0]) - 1) < 1e-6)
        let largest = gradients.array.reduce(0) { max($0, abs($1)) }
        let worst = zip(gradients.array, whole.store.gradients.array).reduce(0) { max($0, abs($1.0 - $1.1)) }
        #expect(worst < 1e-5 * largest)
    }

    @Test func `drop rates grow from the first block, which asks for no factors`() throws {
        var settings = VisionTransformer.Settings(width: 8, depth: 3, heads: 2, patch: 4)
        settings.dropPathRate = 0.2
        let graph = Graph()
        let model = try VisionTransformer(graph.scope, settings, image: ImageSpec(side: 8), for: .classification)
        _ = model.encode(graph.input("images", [2, 8, 8, 3]))
        #expect(graph.dropPaths.map(\.dropRate) == [0.1, 0.1, 0.2, 0.2])
        #expect(graph.dropPaths.allSatisfy { $0.factors.shape == [2] })
    }

    @Test func `start values follow the table of the specification`() throws {
        let settings = VisionTransformer.Settings(width: 8, depth: 2, heads: 2, patch: 4)
        let cut = Initializer.truncatedNormal(std: 0.02, cut: 0.02), plain = Initializer.normal(std: 0.02)
        for (use, start) in [(EncoderUse.pretraining, cut), (.classification, plain)] {
            let graph = Graph()
            let model = try VisionTransformer(graph.scope, settings, image: ImageSpec(side: 8), for: use)
            func law(_ name: String) -> Initializer? { graph.parameters.first { $0.name == name }?.initializer }
            #expect(law("cls_token") == start)
            #expect(law("mask_token") == (use == .pretraining ? start : nil))
            #expect(law("patch_embed.proj.weight") == start && law("patch_embed.proj.bias") == .zeros)
            #expect(law("blocks.0.gamma_1") == .constant(0.1))
            #expect(law("blocks.1.attn.qkv.weight") == start && law("blocks.1.attn.q_bias") == .zeros)
            #expect(law("blocks.1.attn.proj.weight") == .scaled(start, by: 0.5))
            #expect(
                law("blocks.1.mlp.fc2.weight") == .scaled(start, by: 0.5) && law("blocks.1.mlp.fc1.weight") == start)
            #expect(model.headInit == .scaled(plain, by: 0.001))
        }
    }

    @Test func `extents that do not divide are refused with the setting's name`() throws {
        let input = InputSpec(image: ImageSpec(side: 30), classes: 10)
        let odd = VisionTransformer.Settings(.micro, patch: 16)
        #expect(throws: ModelError.self) { try odd.encoder(Graph().scope, image: input.image, for: .pretraining) }
        let error = #expect(throws: ModelError.self) {
            let settings = SimMIM.Settings(maskRatio: 0.6, maskPatchSize: 8)
            return try SimMIM(settings, VisionTransformer.Settings(.micro, patch: 5), Graph().scope, input)
        }
        #expect(error?.place == "objective.mask_patch_size")
    }
}

/// One SimMIM step over random images, ready to run.
private struct Step {
    let total: Loss
    let pixels: Tensor
    let store: ParameterStore
    let plan: Plan
    let images: Floats
    let mask: Floats
    private let batch: BatchTensors

    init(size: VisionTransformer.Size, patch: Int, side: Int, batch samples: Int, pool: WorkerPool) throws {
        var settings = VisionTransformer.Settings(size, patch: patch)
        settings.usesSharedPositionBias = true
        settings.usesAbsolutePositions = size == .micro
        let graph = Graph()
        let objective = try SimMIM(
            .init(maskRatio: 0.5, maskPatchSize: patch), settings, graph.scope["model"],
            InputSpec(image: ImageSpec(side: side)))
        batch = objective.inputs(graph, batch: samples)
        pixels = objective.predict(batch)
        total = objective.loss(of: pixels, batch)
        store = ParameterStore(graph, minimising: total.sum, seed: 3, pool: pool)
        plan = try Plan(
            graph, minimising: total.sum, keeping: [pixels, total.sum, total.weight], store: store, pool: pool)
        var random = RandomStream(seed: 5, purpose: .procedural)
        images = Floats((0..<batch.images.shape.count).map { _ in Float(random.uniform(-1...1)) })
        let cells = side / patch
        mask = Floats((0..<samples * cells * cells).map { $0 % 2 == 0 ? 1 : 0 })
    }

    func run() {
        plan.set(batch.images, images)
        if let hidden = batch.mask { plan.set(hidden, mask) }
        plan.forward()
        plan.backward()
    }

    var loss: Float { plan.value(of: total.sum)[0] }
}
