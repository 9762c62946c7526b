import Autodiff
import Kernels
import Layers
import Models
import Testing

/// The quantisers against their references.
@Suite struct TokenizerQuantizers {
    private let pool = WorkerPool(threads: 2)

    static let averages = TokenizerFile.files(holding: "input/embed_sum", "output/restart_mask")
    static let gradients = TokenizerFile.files(holding: "input/z", "grad/embedding.weight")
    static let levels = TokenizerFile.files(holding: "output/index_to_code")
    static let clusters = TokenizerFile.files(holding: "input/vectors", "input/start_rows")

    @Test func `there are quantisers to compare with`() {
        #expect(!Self.averages.isEmpty && !Self.gradients.isEmpty && !Self.levels.isEmpty && !Self.clusters.isEmpty)
    }

    /// All ranks' tokens as one sample.
    private func rows(_ golden: TokenizerFile, _ key: String) throws -> Shape {
        let shape = try golden.shape(key)
        return [1, shape.dropLast().reduce(1, *), shape[shape.count - 1]]
    }

    @Test(arguments: averages) func `a codebook of averages equals the reference`(_ golden: TokenizerFile) throws {
        let config = golden.config
        let isDistance = try #require(config.cosine) == false
        let (K, weight) = (try #require(config.codebook_size), try #require(config.commitment_weight))
        let shape = try rows(golden, "input/z")
        let graph = Graph()
        let z = graph.apply(TrainedInput(graph.scope, "z", shape))
        let output = VectorQuantizer(
            graph.scope["quantizer"],
            .init(.average(isDistance: isDistance), codes: K, width: shape[2], commitment: weight))(z)
        let drawn = output.values.apply(Weighted(try golden.floats("input/upstream")))
        let commitment = try #require(output.loss)
        let loss = Add()(drawn, commitment)
        let store = ParameterStore(graph, minimising: loss, seed: 0, pool: pool)
        try #require(store.value("z")).copy(from: golden.floats("input/z"))
        func buffer(_ name: String) throws -> Floats { try #require(store.buffer("quantizer." + name)) }
        for (name, key) in [("codebook", "codebook"), ("cluster_size", "cluster_size"), ("embed_sum", "embed_sum")] {
            try buffer(name).copy(from: golden.floats("input/\(key)"))
        }
        try buffer(VectorQuantizer.updatesName).fill(1)
        let plan = try Plan(
            graph, minimising: loss, keeping: [output.ids, output.values, output.vectors, commitment], store: store,
            pool: pool)
        plan.forward()
        plan.backward()
        let ids = plan.value(of: output.ids).array.map { Int($0) }
        #expect(ids == (try golden.integers("output/indices")))
        let vectors = plan.value(of: output.vectors)
        expectOutput(vectors.array, try golden.floats(isDistance ? "output/z_flat" : "output/z_normalized"), "vectors")
        expectOutput(plan.value(of: output.values).array, try golden.floats("output/straight_through"), "values")
        expectOutput(plan.value(of: output.values).array, try golden.floats("output/quantized"), "codes")
        expectOutput(
            [plan.value(of: commitment)[0] / Float(weight)], try golden.floats("output/commitment"), "commitment")
        expectWithin(
            tokenizerGradient, try #require(store.gradient("z")).array, try golden.floats("output/grad_z"), "gradient")

        let average = EMACodebook(
            codes: try buffer("codebook"), sizes: try buffer("cluster_size"), sums: try buffer("embed_sum"),
            isDistance: isDistance)
        let ranks = try golden.shape("output/batch_count")[0], D = average.width
        let (counts, sums) = (Floats(zeros: K), Floats(zeros: K * D))
        for rank in 0..<ranks {
            let own = ids.count / ranks
            let (part, parts) = (Floats(zeros: K), Floats(zeros: K * D))
            for row in rank * own..<(rank + 1) * own {
                part[ids[row]] += 1
                for place in 0..<D { parts[ids[row] * D + place] += vectors[row * D + place] }
            }
            #expect(part.array == Array(try golden.floats("output/batch_count")[rank * K..<(rank + 1) * K]))
            expectOutput(
                parts.array, Array(try golden.floats("output/batch_sum")[rank * K * D..<(rank + 1) * K * D]), "sums")
            pool.add(counts, part, into: counts)
            pool.add(sums, parts, into: sums)
        }
        average.blend(counts: counts, batchSums: sums, decay: try #require(config.decay))
        expectOutput(average.sizes.array, try golden.floats("output/cluster_size"), "N")
        expectOutput(average.sums.array, try golden.floats("output/embed_sum"), "M")
        expectOutput(average.codes.array, try golden.floats("output/codebook"), "codebook")
        let dead = Indices(zeros: K)
        let count = average.dead(below: try #require(config.dead_code_threshold), into: dead)
        let mask = try golden.integers("output/restart_mask")
        #expect(dead.array.prefix(count).map { Int($0) } == mask.indices.filter { mask[$0] == 1 })
        let chosen = try golden.integers("input/restart_rows")
        for place in 0..<count {
            let row = chosen[place]
            average.restart(
                Int(dead[place]), at: vectors[row * D..<(row + 1) * D], size: try #require(config.restart_cluster_size))
        }
        expectOutput(average.sizes.array, try golden.floats("output/restart_cluster_size"), "N after restarts")
        expectOutput(average.sums.array, try golden.floats("output/restart_embed_sum"), "M after restarts")
        expectOutput(average.codes.array, try golden.floats("output/restart_codebook"), "codebook after restarts")
    }

    @Test(arguments: gradients) func `a codebook that learns equals the reference`(_ golden: TokenizerFile) throws {
        let shape = try rows(golden, "input/z")
        let graph = Graph()
        let z = graph.apply(TrainedInput(graph.scope, "z", shape))
        let output = VectorQuantizer(
            graph.scope["quantizer"],
            .init(
                .gradient, codes: try #require(golden.config.codebook_size), width: shape[2],
                commitment: try #require(golden.config.beta)))(z)
        let codebookLoss = try #require(output.loss)
        let loss = Add()(
            output.values.apply(Weighted(try golden.floats("input/upstream"))), codebookLoss)
        let store = ParameterStore(graph, minimising: loss, seed: 0, pool: pool)
        try #require(store.value("z")).copy(from: golden.floats("input/z"))
        let name = "quantizer.embedding.weight"
        try #require(store.value(name)).copy(from: golden.floats("param/embedding.weight"))
        let plan = try Plan(
            graph, minimising: loss, keeping: [output.ids, output.values, codebookLoss], store: store, pool: pool)
        plan.forward()
        plan.backward()
        #expect(plan.value(of: output.ids).array.map { Int($0) } == (try golden.integers("output/indices")))
        expectOutput(plan.value(of: output.values).array, try golden.floats("output/quantized"), "codes")
        expectOutput(plan.value(of: codebookLoss).array, try golden.floats("output/codebook_loss"), "loss")
        expectWithin(
            tokenizerGradient, try #require(store.gradient("z")).array, try golden.floats("output/grad_z"), "gradient")
        expectWithin(
            tokenizerGradient, try #require(store.gradient(name)).array, try golden.floats("grad/embedding.weight"),
            "gradient of the codebook")
    }

    @Test(arguments: levels) func `rounding to levels equals the reference`(_ golden: TokenizerFile) throws {
        let levels = try #require(golden.config.levels)
        let shape = try rows(golden, "input/z")
        let graph = Graph()
        let z = graph.apply(TrainedInput(graph.scope, "z", shape))
        let output = VectorQuantizer(
            graph.scope["quantizer"],
            .init(.levels(levels), codes: levels.reduce(1, *), width: levels.count, commitment: 0))(z)
        let loss = output.values.apply(Weighted(try golden.floats("input/upstream")))
        let store = ParameterStore(graph, minimising: loss, seed: 0, pool: pool)
        try #require(store.value("z")).copy(from: golden.floats("input/z"))
        let plan = try Plan(graph, minimising: loss, keeping: [output.ids, output.values], store: store, pool: pool)
        plan.forward()
        plan.backward()
        #expect(plan.value(of: output.ids).array.map { Int($0) } == (try golden.integers("output/indices")))
        expectOutput(plan.value(of: output.values).array, try golden.floats("output/code"), "codes")
        expectWithin(
            tokenizerGradient, try #require(store.gradient("z")).array, try golden.floats("output/grad_z"), "gradient")
        let stride = (golden.config.index_to_code_stride ?? 1) * levels.count
        let codes = LevelNumber.codes(levels)
        let listed = Swift.stride(from: 0, to: codes.count, by: stride).flatMap { codes[$0..<$0 + levels.count] }
        expectOutput(listed, try golden.floats("output/index_to_code"), "all codes")
    }

    @Test(arguments: clusters) func `spherical k-means equals the reference`(_ golden: TokenizerFile) throws {
        let vectors = Floats(try golden.floats("input/vectors"))
        let D = try golden.shape("input/vectors")[1]
        let start = try golden.integers("input/start_rows")
        for rounds in try #require(golden.config.rounds) {
            let codes = Floats(start.flatMap { vectors[$0 * D..<($0 + 1) * D].array })
            let average = EMACodebook(
                codes: codes, sizes: Floats(zeros: start.count), sums: Floats(zeros: codes.count), isDistance: false)
            let counts = average.centre(vectors, rounds: rounds, pool: pool)
            #expect(counts.map { Int($0) } == (try golden.integers("output/counts_\(rounds)")), "\(rounds) rounds")
            expectOutput(codes.array, try golden.floats("output/centres_\(rounds)"), "centres of \(rounds) rounds")
        }
    }
}
