import Autodiff
import Batches
import Kernels
import Layers
import Models
import Objectives
import Recipes
import Testing

/// One step of each of SeiT's models: every value listed, the losses, every gradient.
@Suite struct SeiTModels {
    static let masked = SeiTModelFile.files(holding: "input/noise", "output/logits")
    static let finetuned = SeiTModelFile.files(holding: "param/token_emb.word_embeddings.weight", "output/pooled")
    static let supervised = SeiTModelFile.files(holding: "input/codebook", "output/pooled")
    private let pool = WorkerPool(threads: 2)

    @Test func `there are models to compare with`() {
        #expect(!Self.masked.isEmpty && !Self.finetuned.isEmpty && !Self.supervised.isEmpty)
    }

    @Test(arguments: masked)
    func `masked token modelling gives the reference's values and gradients`(_ golden: SeiTModelFile) throws {
        let graph = Graph()
        let objective = try golden.maskedTokens(graph)
        let tokens = try golden.integers("input/tokens").map { Float($0) }
        let batch = objective.inputs(graph, batch: try golden.shape("input/tokens")[0])
        let (latent, scores) = objective.predict(batch)
        let loss = objective.loss(of: scores, batch)
        let mask = try #require(batch.mask)
        let patch = try #require(golden.config.patch_size)
        var losses = ["loss_bce": MaskedCodeLoss(.binary, patch: patch)(scores, batch.images, mask: mask)]
        for name in golden.parts(after: "output/loss_smoothing_") {
            let form = MaskedCodeLoss.Form.crossEntropy(smoothing: try #require(Double(name)))
            losses["loss_smoothing_\(name)"] = MaskedCodeLoss(form, patch: patch)(scores, batch.images, mask: mask)
        }
        let store = ParameterStore(graph, minimising: loss.sum, seed: 0, pool: pool)
        try golden.load(into: store)
        let kept = [latent, scores, loss.sum, loss.weight] + losses.values
        let plan = try Plan(graph, minimising: loss.sum, keeping: kept, store: store, pool: pool)
        let fates = try golden.mask(objective)
        plan.set(batch.images, Floats(tokens))
        plan.set(mask, Floats(fates))
        plan.forward()
        plan.backward()

        let patches = try #require(objective.masking).cells
        for (name, isHidden) in [
            ("token_drop_mask", { $0 == TokenMaskState.dropped }), ("token_all_mask", { $0 != TokenMaskState.visible }),
        ] as [(String, (Float) -> Bool)] {
            var found: [Float] = []
            for start in stride(from: 0, to: fates.count, by: patches) {
                found.append(0)
                for fate in fates[start..<start + patches] { found.append(isHidden(fate) ? 1 : 0) }
            }
            #expect(found == (try golden.floats("output/\(name)")), "\(name)")
        }
        expectOutputs(plan.value(of: latent).array, try golden.floats("output/latent"), "latent")
        expectOutputs(
            rowByRow(plan.value(of: scores).array, try golden.shape("output/logits"), patch),
            try golden.floats("output/logits"), "logits")
        let weight = Double(plan.value(of: loss.weight)[0])
        losses["loss"] = loss.sum
        for (name, sum) in losses {
            expectOutputs(
                [Float(Double(plan.value(of: sum)[0]) / weight)], try golden.floats("output/\(name)"), name)
        }
        try golden.compareGradients(store, weight: weight)
    }

    /// Scores patch by patch as (B, side², K), row by row.
    private func rowByRow(_ scores: [Float], _ shape: [Int], _ patch: Int) -> [Float] {
        let (side, K) = (Int(Double(shape[1]).squareRoot()), shape[2])
        var result = [Float](repeating: 0, count: scores.count)
        for sample in 0..<shape[0] {
            for place in 0..<shape[1] {
                let (row, column) = (place / side, place % side)
                let inside = row % patch * patch + column % patch
                let from = (row / patch * (side / patch) + column / patch) * patch * patch + inside
                for k in 0..<K {
                    result[(sample * shape[1] + place) * K + k] = scores[(sample * shape[1] + from) * K + k]
                }
            }
        }
        return result
    }

    @Test(arguments: finetuned)
    func `fine-tuning gives the reference's values and gradients`(_ golden: SeiTModelFile) throws {
        let graph = Graph()
        let smoothing = try #require(golden.config.label_smoothing)
        let objective = try golden.classification(graph, .ids, smoothing: smoothing)
        let batch = objective.inputs(graph, batch: try golden.shape("input/tokens")[0])
        try compare(golden, objective, batch, input: try golden.integers("input/tokens").map { Float($0) })
    }

    @Test(arguments: supervised)
    func `supervised training gives the reference's values and gradients`(_ golden: SeiTModelFile) throws {
        let graph = Graph()
        let smoothing = try #require(golden.config.label_smoothing)
        let objective = try golden.classification(graph, .vectors, smoothing: smoothing)
        let batch = objective.inputs(graph, batch: try golden.shape("input/tokens")[0])
        let width = try #require(golden.config.token_embed_dim)
        let vectors = codeVectors(
            try golden.integers("input/tokens"), try golden.floats("input/codebook"), width: width)
        expectOutputs(vectors, try golden.maps("output/embedded"), "embedded")
        try compare(golden, objective, batch, input: vectors)
        try compareInputGradient(golden, vectors, smoothing: smoothing)
    }

    private func compare(
        _ golden: SeiTModelFile, _ objective: Classification, _ batch: BatchTensors, input: [Float]
    ) throws {
        let graph = batch.images.graph
        let (pooled, logits) = objective.predict(batch.images)
        let loss = objective.loss(of: logits, batch)
        let hot = graph.input("hot", logits.shape)
        let hard = CrossEntropy(smoothing: 0)(logits, hot)
        let store = ParameterStore(graph, minimising: loss.sum, seed: 0, pool: pool)
        try golden.load(into: store)
        let plan = try Plan(
            graph, minimising: loss.sum, keeping: [pooled, logits, loss.sum, loss.weight, hard], store: store,
            pool: pool)
        let targets = try targets(golden)
        plan.set(batch.images, Floats(input))
        plan.set(try #require(batch.targets), Floats(targets))
        plan.set(hot, Floats(oneHotRows(try golden.integers("input/labels"), logits.shape[1])))
        plan.forward()
        plan.backward()
        expectOutputs(plan.value(of: pooled).array, try golden.floats("output/pooled"), "pooled")
        expectOutputs(plan.value(of: logits).array, try golden.floats("output/logits"), "logits")
        let weight = Double(plan.value(of: loss.weight)[0])
        for (name, sum) in [("loss", loss.sum), ("loss_hard", hard)] {
            expectOutputs([Float(Double(plan.value(of: sum)[0]) / weight)], try golden.floats("output/\(name)"), name)
        }
        try golden.compareGradients(store, weight: weight)
    }

    /// The labels mixed with those of the reversed batch; smoothed they are the file's.
    private func targets(_ golden: SeiTModelFile) throws -> [Float] {
        let classes = try #require(golden.config.num_classes), smoothing = try #require(golden.config.label_smoothing)
        let labels = try golden.integers("input/labels")
        let mixed = Floats(oneHotRows(labels, classes))
        let rows = Mixing.Rows(values: mixed, count: classes, width: classes)
        let mixture = Mixture.blend(kept: Double(try golden.floats("input/lam")[0]))
        Mixing.mix(
            .init(values: Floats(zeros: labels.count), count: 1, width: 1, channels: 1), rows,
            Array(repeating: mixture, count: labels.count), Recipe.Partner.mirror.indices(labels.count),
            scratch: Floats(zeros: classes))
        let smoothed = mixed.array.map { (1 - Float(smoothing)) * $0 + Float(smoothing) / Float(classes) }
        expectOutputs(smoothed, try golden.floats("output/soft_targets"), "soft targets")
        return mixed.array
    }

    private func compareInputGradient(_ golden: SeiTModelFile, _ vectors: [Float], smoothing: Double) throws {
        let graph = Graph()
        let objective = try golden.classification(graph, .vectors, smoothing: smoothing)
        let batch = objective.inputs(graph, batch: try golden.shape("input/tokens")[0])
        let images = graph.apply(TrainedInput(graph.scope, "images", batch.images.shape))
        let loss = objective.loss(of: objective.predict(images).logits, batch)
        let store = ParameterStore(graph, minimising: loss.sum, seed: 0, pool: pool)
        for name in store.names where name != "images" {
            try golden.file.tensor("param/\(name)").copy(into: try #require(store.value(name)))
        }
        try #require(store.value("images")).copy(from: vectors)
        let plan = try Plan(graph, minimising: loss.sum, keeping: [loss.weight], store: store, pool: pool)
        plan.set(try #require(batch.targets), Floats(try targets(golden)))
        plan.forward()
        plan.backward()
        let weight = plan.value(of: loss.weight)[0]
        expectWithin(
            1e-4, try #require(store.gradient("images")).array.map { $0 / weight },
            try golden.maps("output/grad_embedded"), "gradient of the embedded input")
    }
}
