import Autodiff
import Kernels
import Models
import Objectives
import Optimizers
import Testing
import Training

/// Several updates of SeiT++: loss and rate at every step, parameters after the last; and the schedules alone.
@Suite struct SeiTModelTraces {
    static let masked = SeiTModelFile.files(holding: "input/noise", "trace/loss")
    static let finetuned = SeiTModelFile.files(holding: "param/head.weight", "input/labels", "trace/loss")
    private let pool = WorkerPool(threads: 2)

    @Test func `there are traces to follow`() { #expect(!Self.masked.isEmpty && !Self.finetuned.isEmpty) }

    @Test(arguments: masked)
    func `masked token modelling follows the reference step by step`(_ golden: SeiTModelFile) throws {
        let graph = Graph()
        let objective = try golden.maskedTokens(graph)
        for (names, decays) in [(golden.config.decay, true), (golden.config.no_decay, false)] {
            for name in try #require(names) {
                let parameter = try #require(graph.parameters.first { $0.name == name }, "\(name)")
                #expect(objective.decay.decays(name, rank: parameter.shape.rank) == decays, "\(name)")
            }
        }
        let batch = objective.inputs(graph, batch: try golden.shape("input/tokens")[1])
        let mask = try #require(batch.mask)
        try follow(golden, graph, objective, batch) { plan, step in
            plan.set(mask, Floats(try golden.mask(objective, step: step)))
        }
    }

    @Test(arguments: finetuned)
    func `fine-tuning follows the reference step by step`(_ golden: SeiTModelFile) throws {
        let graph = Graph()
        let objective = try golden.classification(
            graph, .ids, smoothing: try #require(golden.config.label_smoothing))
        let decay = try #require(golden.config.layer_decay), weightDecay = try #require(golden.config.weight_decay)
        let groups = try #require(golden.config.param_groups)
        #expect(Set(groups.keys) == Set(graph.parameters.map(\.name)))
        for parameter in graph.parameters {
            let expected = try #require(groups[parameter.name])
            let scale = try #require(objective.layers).scale(of: parameter.name, decay: decay)
            #expect(abs(scale - expected[0]) <= 1e-12, "layer scale of \(parameter.name)")
            let decays = objective.decay.decays(parameter.name, rank: parameter.shape.rank)
            #expect((decays ? weightDecay : 0) == expected[1], "decay of \(parameter.name)")
        }
        let batch = objective.inputs(graph, batch: try golden.shape("input/tokens")[1])
        let (labels, targets) = (try golden.integers("input/labels"), try #require(batch.targets))
        try follow(golden, graph, objective, batch) { plan, step in
            let count = targets.shape[0]
            let rows = oneHotRows(Array(labels[step * count..<(step + 1) * count]), targets.shape[1])
            plan.set(targets, Floats(rows))
        }
    }

    private func follow(
        _ golden: SeiTModelFile, _ graph: Graph, _ objective: some Objective, _ batch: BatchTensors,
        setOthers: (Plan, Int) throws -> Void
    ) throws {
        let config = golden.config
        let loss = objective.loss(batch)
        let store = ParameterStore(graph, minimising: loss.sum, seed: 0, pool: pool)
        try golden.load(into: store)
        let plan = try Plan(graph, minimising: loss.sum, keeping: [loss.sum, loss.weight], store: store, pool: pool)
        let betas = try #require(config.betas)
        let rule = try updateRule(["kind": "adamw", "betas": betas, "eps": config.eps])
        let groups = ParameterGroups(
            store, rule: rule, decays: { objective.decay.decays($0, rank: $1) },
            scale: { name in
                config.layer_decay.flatMap { objective.layers?.scale(of: name, decay: $0) } ?? 1
            })
        let schedule = try Golden.schedule(
            EpochClock(updates: try #require(config.steps_per_epoch)),
            [
                "kind": "cosine", "form": "mae", "base_lr": config.lr,
                "min_lr": config.min_lr, "warmup_epochs": config.warmup_epochs, "warmup_lr": 0,
                "epochs": config.epochs,
            ])
        let decay = try #require(config.weight_decay)
        let shape = try golden.shape("input/tokens")
        let tokens = try golden.integers("input/tokens").map { Float($0) }
        for step in 0..<shape[0] {
            let count = tokens.count / shape[0]
            plan.set(batch.images, Floats(Array(tokens[step * count..<(step + 1) * count])))
            try setOthers(plan, step)
            plan.forward()
            plan.backward()
            let weight = Double(plan.value(of: loss.weight)[0])
            pool.scale(store.gradients, by: Float(1 / weight))
            let mean = Float(Double(plan.value(of: loss.sum)[0]) / weight)
            expectWithin(1e-5, [mean], [try golden.floats("trace/loss")[step]], "loss of step \(step)")
            let rate = schedule.learningRate(at: step)
            expectWithin(1e-6, [Float(rate)], [try golden.floats("trace/lr")[step]], "rate of step \(step)")
            for group in groups.groups {
                rule.update(
                    group.run, learningRate: rate * group.scale, weightDecay: group.decays ? decay : 0, step: step + 1,
                    pool: pool)
            }
        }
        let after = golden.parts(after: "after/")
        #expect(Set(after) == Set(store.names))
        for name in after {
            let ours = try #require(store.value(name)).array.partedKeyBias(name).rest
            let reference = try golden.floats("after/\(name)").partedKeyBias(name).rest
            let worst = zip(ours, reference).reduce(Float(0)) { max($0, abs($1.0 - $1.1)) }
            #expect(worst <= 1e-5, "\(name) is off by \(worst) after \(shape[0]) updates")
        }
    }
}
