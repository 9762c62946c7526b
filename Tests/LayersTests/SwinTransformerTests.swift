import AllocationCounter
import Autodiff
import Kernels
import Models
import Objectives
import Testing

@Suite struct SwinTransformerTests {
    /// From the SimMIM specification, section 7: parameters with the decoder, and of a classifier with 1,000 classes.
    @Test(arguments: [
        (SwinTransformer.Size.tiny, 192, 6, 29_875_194, 28_281_730), (.base, 192, 6, 89_874_104, 87_750_176),
        (.base, 224, 7, 89_892_152, 87_768_224), (.large, 192, 12, 199_881_204, 196_696_348),
        (.large, 224, 14, 199_979_412, 196_794_556),
    ])
    func `a model has as many parameters as the reference`(
        size: SwinTransformer.Size, side: Int, window: Int, pretraining: Int, classification: Int
    ) throws {
        let settings = SwinTransformer.Settings(size, patch: 4, window: window)
        let input = InputSpec(image: ImageSpec(side: side), classes: 1000)
        let (graph, classifier) = (Graph(), Graph())
        _ = try SimMIM(.init(maskRatio: 0.6, maskPatchSize: 32), settings, graph.scope, input)
        #expect(graph.parameters.reduce(0) { $0 + $1.shape.count } == pretraining)
        _ = try Classification(.init(labelSmoothing: 0.1), settings, classifier.scope, input)
        #expect(classifier.parameters.reduce(0) { $0 + $1.shape.count } == classification)
    }

    @Test func `operations declare the multiply-adds of the specification`() throws {
        let graph = Graph()
        let settings = SwinTransformer.Settings(.tiny, patch: 4, window: 6)
        let objective = try SimMIM(
            .init(maskRatio: 0.6, maskPatchSize: 32), settings, graph.scope, InputSpec(image: ImageSpec(side: 192)))
        let report = try PlanReport(graph, minimising: objective.loss(objective.inputs(graph, batch: 1)).sum)
        let products = report.rows.reduce(0) { $0 + $1.flops } / 2
        #expect(abs(Double(products) / (3.271e9 + 0.085e9) - 1) < 5e-4)
    }

    @Test(arguments: [1, 3]) func `a step allocates nothing`(threads: Int) throws {
        let step = try Step(batch: 5, pool: WorkerPool(threads: threads))
        step.run()
        let before = allocations_of_this_thread()
        step.run()
        let after = allocations_of_this_thread()
        #expect(before > 0, "the counter is not linked in")
        #expect(after == before)
    }

    @Test func `a step has the same bits on any number of threads`() throws {
        let gradients = try [1, 2, 3].map { threads in
            let step = try Step(batch: 5, pool: WorkerPool(threads: threads))
            step.run()
            return step.store.gradients.array
        }
        #expect(gradients[0] == gradients[1] && gradients[0] == gradients[2])
        #expect(gradients[0].contains { $0 != 0 })
    }

    @Test func `a shown patch reaches only windows that hold it, until windows move`() throws {
        // One block without shift: a pixel of the first window leaves the others alone.
        for (depth, reaches) in [(1, false), (2, true)] {
            let graph = Graph()
            let settings = SwinTransformer.Settings(width: 8, depths: [depth], heads: [2], patch: 1, window: 2)
            let model = try SwinTransformer(graph.scope, settings, image: ImageSpec(side: 4), for: .classification)
            let images = graph.input("images", [1, 4, 4, 3])
            let output = model.encode(images).output
            let pool = WorkerPool(threads: 1)
            let store = ParameterStore(graph, minimising: nil, seed: 1, pool: pool)
            let plan = try Plan(graph, minimising: nil, keeping: [output], store: store, pool: pool)
            let pixels = Floats(GradientCheck().numbers(48))
            plan.set(images, pixels)
            plan.forward()
            let before = plan.value(of: output).array
            pixels[(1 * 4 + 1) * 3] += 1
            plan.set(images, pixels)
            plan.forward()
            let after = plan.value(of: output).array
            let token = { (y: Int, x: Int) in (y * 4 + x) * 8..<(y * 4 + x + 1) * 8 }
            #expect(after[token(0, 0)] != before[token(0, 0)])
            #expect((after[token(2, 2)] != before[token(2, 2)]) == reaches)
            // The opposite corner shares a moved window with (0, 0), but the mask parts them.
            #expect(after[token(3, 3)] == before[token(3, 3)])
        }
    }

    @Test func `a stage with one window has no shift and a small table`() throws {
        let graph = Graph()
        let settings = SwinTransformer.Settings(width: 8, depths: [2, 2], heads: [1, 2], patch: 4, window: 4)
        let model = try SwinTransformer(graph.scope, settings, image: ImageSpec(side: 16), for: .pretraining)
        #expect(model.grid == FeatureGrid(side: 2, stride: 8, width: 16))
        let tables = graph.parameters.filter { $0.name.hasSuffix("table") }.map(\.shape.extents)
        #expect(tables == [[49, 1], [49, 1], [9, 2], [9, 2]])
        #expect(!graph.buffers.contains { $0.name.hasSuffix("attn_mask") })
    }

    @Test func `drop rates grow over all stages`() throws {
        let graph = Graph()
        var settings = SwinTransformer.Settings(width: 8, depths: [1, 2], heads: [1, 2], patch: 4, window: 2)
        settings.dropPathRate = 0.2
        let model = try SwinTransformer(graph.scope, settings, image: ImageSpec(side: 16), for: .classification)
        _ = model.encode(graph.input("images", [2, 16, 16, 3]))
        #expect(graph.dropPaths.map(\.dropRate) == [0.1, 0.1, 0.2, 0.2])
        #expect(graph.dropPaths.allSatisfy { $0.factors.shape == [2] })
    }

    @Test func `start values follow the table of the specification`() throws {
        var settings = SwinTransformer.Settings(width: 8, depths: [1, 1], heads: [1, 2], patch: 4, window: 2)
        settings.usesAbsolutePositions = true
        let (plain, framework) = (
            Initializer.normal(std: 0.02), Initializer.uniform(bound: 1 / 48.0.squareRoot())
        )
        for use in [EncoderUse.pretraining, .classification] {
            let graph = Graph()
            let model = try SwinTransformer(graph.scope, settings, image: ImageSpec(side: 16), for: use)
            func law(_ name: String) -> Initializer? { graph.parameters.first { $0.name == name }?.initializer }
            #expect(law("mask_token") == (use == .pretraining ? plain : nil))
            #expect(law("absolute_pos_embed") == plain)
            #expect(law("patch_embed.proj.weight") == framework && law("patch_embed.proj.bias") == framework)
            #expect(law("patch_embed.norm.weight") == .ones && law("patch_embed.norm.bias") == .zeros)
            #expect(law("layers.1.blocks.0.attn.relative_position_bias_table") == plain)
            #expect(law("layers.1.blocks.0.attn.qkv.weight") == plain)
            #expect(law("layers.1.blocks.0.attn.qkv.bias") == .zeros)
            #expect(law("layers.1.blocks.0.mlp.fc2.weight") == plain)
            #expect(law("layers.0.downsample.reduction.weight") == plain)
            #expect(law("layers.0.downsample.reduction.bias") == nil)
            #expect(model.headInit == plain)
        }
    }

    @Test(arguments: [
        (30, 4, 2, "model.patch_size"), (24, 4, 3, "model.depths"), (32, 4, 3, "model.window_size"),
        (32, 4, 0, "model.window_size"),
    ])
    func `extents that do not divide are refused with the setting's name`(
        side: Int, patch: Int, window: Int, place: String
    ) throws {
        let settings = SwinTransformer.Settings(
            width: 8, depths: [1, 1, 1], heads: [1, 2, 4], patch: patch, window: window)
        let error = #expect(throws: ModelError.self) {
            try settings.encoder(Graph().scope, image: ImageSpec(side: side), for: .pretraining)
        }
        #expect(error?.place == place)
    }

    @Test func `a feature map of each block, the last one after the norm`() throws {
        let graph = Graph()
        let settings = SwinTransformer.Settings(width: 8, depths: [1, 2], heads: [1, 2], patch: 4, window: 2)
        let model = try SwinTransformer(graph.scope, settings, image: ImageSpec(side: 16), for: .classification)
        let maps = model.outputs(graph.input("images", [2, 16, 16, 3]))
        #expect(maps.map(\.name) == ["layers.0.blocks.0", "layers.1.blocks.0", "output"])
        #expect(maps.map(\.patches.shape) == [[2, 16, 8], [2, 4, 16], [2, 4, 16]])
        #expect(maps.allSatisfy { $0.classToken == nil })
    }
}

/// One SimMIM step over random images, ready to run.
private struct Step {
    let store: ParameterStore
    private let plan: Plan
    private let inputs: [(Tensor, Floats)]

    init(batch samples: Int, pool: WorkerPool) throws {
        var settings = SwinTransformer.Settings(width: 16, depths: [2, 3, 1], heads: [1, 2, 4], patch: 2, window: 3)
        settings.usesAbsolutePositions = true
        let graph = Graph()
        let objective = try SimMIM(
            .init(maskRatio: 0.5, maskPatchSize: 8), settings, graph.scope, InputSpec(image: ImageSpec(side: 24)))
        let batch = objective.inputs(graph, batch: samples)
        let loss = objective.loss(batch)
        store = ParameterStore(graph, minimising: loss.sum, seed: 3, pool: pool)
        plan = try Plan(graph, minimising: loss.sum, keeping: [loss.sum], store: store, pool: pool)
        let mask = try #require(batch.mask)
        inputs = [
            (batch.images, Floats(GradientCheck().numbers(batch.images.shape.count))),
            (mask, Floats((0..<mask.shape.count).map { $0 / 4 % 2 == 0 ? 1 : 0 })),
        ]
    }

    func run() {
        for (tensor, floats) in inputs { plan.set(tensor, floats) }
        plan.forward()
        plan.backward()
    }
}
