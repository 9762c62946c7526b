import Autodiff
import Kernels
import Layers
import Models
import Objectives
import Optimizers
import Testing
import Training

/// Encoder, quantiser and decoder together, one pass and several updates.
@Suite struct TokenizerWhole {
    private let pool = WorkerPool(threads: 2)

    static let passes = TokenizerFile.files(holding: "output/reconstruction", "param/quantizer.embedding.weight")
    static let traces = TokenizerFile.files(holding: "trace/loss", "after/quantizer.codebook")

    @Test func `there are tokenizers to compare with`() { #expect(!Self.passes.isEmpty && !Self.traces.isEmpty) }

    @Test(arguments: passes) func `a pass equals the reference`(_ golden: TokenizerFile) throws {
        let config = golden.config
        try #require(config.l2_weight == 1)
        let graph = Graph()
        let tokenizer = try golden.tokenizer(graph, .gradient, commitment: try #require(config.beta))
        let extents = try golden.shape("input/images")
        let batch = tokenizer.inputs(graph, batch: extents[0])
        let (vectors, output) = tokenizer.tokens(batch.images)
        let pixels = tokenizer.pixels(output.values)
        let loss = tokenizer.loss(of: pixels, output, batch)
        let squares = try #require(loss.quantized?.squaredError)
        let store = ParameterStore(graph, minimising: loss.sum, seed: 0, pool: pool)
        try golden.load(into: store)
        let codebookLoss = try #require(output.loss)
        let plan = try Plan(
            graph, minimising: loss.sum,
            keeping: [vectors, output.ids, output.values, pixels, loss.sum, squares, codebookLoss], store: store,
            pool: pool)
        plan.set(batch.images, Floats(try golden.pixels("input/images")))
        plan.forward()
        plan.backward()
        expectOutput(plan.value(of: vectors).array, try golden.floats("output/pre_quant"), "vectors")
        #expect(plan.value(of: output.ids).array.map { Int($0) } == (try golden.integers("output/indices")))
        expectOutput(plan.value(of: output.values).array, try golden.floats("output/quantized"), "codes")
        let image = Floats(zeros: batch.images.shape.count)
        pool.unpatchify(
            plan.value(of: pixels), into: image, batch: extents[0], height: extents[2], width: extents[3],
            channels: extents[1], patch: try #require(config.patch_size))
        expectOutput(image.array, try golden.pixels("output/reconstruction"), "pixels")
        let share = 1 / Float(extents[0])
        expectOutput([plan.value(of: squares)[0] * share], try golden.floats("output/l2"), "squared error")
        expectOutput(
            [plan.value(of: codebookLoss)[0] * share], try golden.floats("output/codebook_loss"), "codebook loss")
        expectOutput([plan.value(of: loss.sum)[0] * share], try golden.floats("output/loss"), "loss")
        for name in golden.parts(after: "grad/") {
            let gradient = try #require(store.gradient(name), "\(name)").array.map { $0 * share }
            expectWithin(tokenizerGradient, gradient, try golden.floats("grad/\(name)"), name)
        }
        #expect(Set(golden.parts(after: "grad/")) == Set(store.trainableSlots.map(\.parameter.name)))
    }

    @Test(arguments: traces) func `training follows the reference step by step`(_ golden: TokenizerFile) throws {
        let config = golden.config
        try #require(config.dead_code_threshold == 0)
        let graph = Graph()
        let tokenizer = try golden.tokenizer(
            graph, .averageCosine, commitment: try #require(config.commitment_weight))
        let extents = try golden.shape("input/images")
        let batch = tokenizer.inputs(graph, batch: extents[1])
        let loss = tokenizer.loss(batch)
        let output = try #require(loss.quantized?.output)
        let store = ParameterStore(graph, minimising: loss.sum, seed: 0, pool: pool)
        try golden.load(into: store)
        let plan = try Plan(
            graph, minimising: loss.sum, keeping: [loss.sum, loss.weight, output.ids, output.vectors], store: store,
            pool: pool)
        let betas = try #require(config.betas)
        let rule = try updateRule(["kind": "adamw", "betas": betas, "eps": config.eps])
        let groups = ParameterGroups(store, rule: rule, decays: { tokenizer.decay.decays($0, rank: $1) })
        func buffer(_ name: String) throws -> Floats { try #require(store.buffer("quantizer." + name)) }
        let average = EMACodebook(
            codes: try buffer("codebook"), sizes: try buffer("cluster_size"), sums: try buffer("embed_sum"),
            isDistance: false)
        let (K, D) = (average.count, average.width)
        let pixels = try golden.pixels("input/images"), size = pixels.count / extents[0]
        let expected = try golden.integers("trace/indices")
        for step in 0..<extents[0] {
            plan.set(batch.images, Floats(Array(pixels[step * size..<(step + 1) * size])))
            plan.forward()
            plan.backward()
            let weight = Double(plan.value(of: loss.weight)[0])
            let mean = Float(Double(plan.value(of: loss.sum)[0]) / weight)
            #expect(abs(mean - (try golden.floats("trace/loss")[step])) <= 1e-5, "loss of step \(step)")
            let ids = plan.value(of: output.ids).array.map { Int($0) }
            #expect(ids == Array(expected[step * ids.count..<(step + 1) * ids.count]), "ids of step \(step)")
            let (counts, sums, vectors) = (Floats(zeros: K), Floats(zeros: K * D), plan.value(of: output.vectors))
            for (row, code) in ids.enumerated() {
                counts[code] += 1
                for place in 0..<D { sums[code * D + place] += vectors[row * D + place] }
            }
            average.blend(counts: counts, batchSums: sums, decay: try #require(config.decay))
            pool.scale(store.gradients, by: Float(1 / weight))
            for group in groups.groups {
                let decay = group.decays ? try #require(config.weight_decay) : 0
                rule.update(
                    group.run, learningRate: try #require(config.lr), weightDecay: decay, step: step + 1, pool: pool)
            }
        }
        for name in golden.parts(after: "after/") {
            let ours = try #require(store.value(name) ?? store.buffer(name), "\(name)").array
            let reference = try golden.floats("after/\(name)")
            let worst = comparedPlaces(name, ours.count).map { abs(ours[$0] - reference[$0]) }.max() ?? 0
            #expect(worst <= 1e-5, "\(name) is off by \(worst)")
        }
    }
}
