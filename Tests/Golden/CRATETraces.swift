import Autodiff
import Kernels
import Models
import Objectives
import Optimizers
import Testing
import Training

/// Several updates: loss, rate and gradient norm at every step, parameters after the last.
@Suite struct CRATETraces {
    static let pretraining = CRATEFile.files(holding: "input/noise", "trace/loss")
    static let classification = CRATEFile.files(holding: "input/labels", "param/pos_embedding", "trace/loss")
    private let pool = WorkerPool(threads: 2)

    @Test func `there are traces to follow`() { #expect(!Self.pretraining.isEmpty && !Self.classification.isEmpty) }

    @Test(arguments: pretraining)
    func `pre-training follows the reference step by step`(_ golden: CRATEFile) throws {
        let graph = Graph()
        let objective = try golden.autoencoder(graph)
        let batch = objective.inputs(graph, batch: try golden.shape("input/images")[1])
        let masks = try golden.masks(objective).flatMap(\.mask)
        for (names, decays) in [(golden.config.decay, true), (golden.config.no_decay, false)] {
            for name in try #require(names) {
                let parameter = try #require(graph.parameters.first { $0.name == name }, "\(name)")
                #expect(objective.decay.decays(name, rank: parameter.shape.rank) == decays, "\(name)")
            }
        }
        try follow(golden, graph, objective, batch, (try #require(batch.mask), masks))
    }

    @Test(arguments: classification)
    func `supervised training follows the reference step by step`(_ golden: CRATEFile) throws {
        let graph = Graph()
        let (settings, patches) = try golden.classifierSettings()
        let classes = try #require(golden.config.num_classes)
        let objective = try Classification(
            .init(labelSmoothing: try #require(golden.config.label_smoothing)), settings, graph.scope,
            InputSpec(image: ImageSpec(side: patches.rows * patches.height), classes: classes))
        let batch = objective.inputs(graph, batch: try golden.shape("input/images")[1])
        let targets = oneHot(try golden.integers("input/labels"), classes).array
        try follow(golden, graph, objective, batch, (try #require(batch.targets), targets))
    }

    /// - Parameter second: the input beside the images, and its numbers for all steps.
    private func follow(
        _ golden: CRATEFile, _ graph: Graph, _ objective: some Objective, _ batch: BatchTensors,
        _ second: (input: Tensor, numbers: [Float])
    ) throws {
        let config = golden.config
        let loss = objective.loss(batch)
        let store = ParameterStore(graph, minimising: loss.sum, seed: 0, pool: pool)
        try golden.load(into: store)
        let plan = try Plan(graph, minimising: loss.sum, keeping: [loss.sum, loss.weight], store: store, pool: pool)
        let rule = try updateRule([
            "kind": try #require(config.optimizer).lowercased(), "betas": config.betas, "eps": config.eps,
        ])
        let groups = ParameterGroups(store, rule: rule, decays: { objective.decay.decays($0, rank: $1) })
        let clip = Clip(limit: nil)
        let schedule = try schedule(config)
        let steps = try golden.shape("input/images")[0]
        let pixels = try golden.pixels("input/images")
        for step in 0..<steps {
            plan.set(batch.images, Floats(part(pixels, step, of: steps)))
            plan.set(second.input, Floats(part(second.numbers, step, of: steps)))
            plan.forward()
            plan.backward()
            let weight = Double(plan.value(of: loss.weight)[0])
            pool.scale(store.gradients, by: Float(1 / weight))
            let norm = try #require(clip.apply(to: groups.runs, pool: pool))
            let mean = Float(Double(plan.value(of: loss.sum)[0]) / weight)
            expectWithin(CRATETolerance.loss, [mean], [try golden.floats("trace/loss")[step]], "loss of step \(step)")
            if golden.file.contains("trace/grad_norm") {
                let reference = try golden.floats("trace/grad_norm")[step]
                expectWithin(CRATETolerance.gradient, [Float(norm)], [reference], "norm of step \(step)")
            }
            let rate = schedule.learningRate(at: step)
            let reference = try golden.floats("trace/lr")[step]
            #expect(abs(Float(rate) - reference) <= CRATETolerance.rate * abs(reference), "rate of step \(step)")
            for group in groups.groups {
                let decay = group.decays ? try #require(config.weight_decay) : 0
                rule.update(group.run, learningRate: rate, weightDecay: decay, step: step + 1, pool: pool)
            }
        }
        for name in golden.parts(after: "after/") {
            let ours = try #require(store.value(name)).array
            let worst = zip(ours, try golden.floats("after/\(name)")).reduce(Float(0)) { max($0, abs($1.0 - $1.1)) }
            #expect(worst <= CRATETolerance.after, "\(name) is off by \(worst) after \(steps) updates")
        }
    }

    /// The auto-encoder's settings have a learning rate at the end, the classifier's none.
    private func schedule(_ config: CRATEConfig) throws -> any LearningRateSchedule {
        try Golden.schedule(
            EpochClock(updates: try #require(config.steps_per_epoch)),
            [
                "kind": "cosine", "form": config.min_lr == nil ? "crate" : "mae", "base_lr": config.lr,
                "min_lr": config.min_lr ?? 0, "warmup_epochs": config.warmup_epochs, "warmup_lr": 0,
                "epochs": config.epochs,
            ])
    }

    private func part(_ numbers: [Float], _ index: Int, of count: Int) -> [Float] {
        let size = numbers.count / count
        return Array(numbers[index * size..<(index + 1) * size])
    }
}
