import Autodiff
import Kernels
import Layers
import Objectives
import Optimizers
import Testing
import Training

/// Whole trainings with early-learning regularisation: one network, and two that give each other targets.
@Suite struct EarlyLearningTraining {
    struct Plain: Decodable, Sendable {
        let N, D, H, C, batch, epochs: Int
        let beta, lambda, lr, momentum, weight_decay: Double
    }

    struct Plus: Decodable, Sendable {
        let N, D, H, C, batch, epochs, ema_step, coef_step: Int
        let beta, lambda, lr, momentum, weight_decay, ema_alpha: Double
    }

    static let plain = optimFiles("elr", Plain.self) { $0.file.names.contains("output/target") }
    static let plus = optimFiles("elr", Plus.self) { $0.file.names.contains("output/target2") }
    private let pool = WorkerPool(threads: 1)

    @Test(arguments: plain) func `one network follows the reference`(_ golden: OptimFile<Plain>) throws {
        let settings = golden.settings
        let whole = Step(settings, batch: settings.batch)
        let store = ParameterStore(whole.net.graph, minimising: whole.loss, seed: 0, pool: pool)
        try golden.load("param/", into: store)
        // The last batch of an epoch holds what is left.
        let rest = settings.N % settings.batch
        let steps = [whole] + (rest > 0 ? [Step(settings, batch: rest)] : [])
        let plans = try steps.map { step in
            try Plan(
                step.net.graph, minimising: step.loss, keeping: [step.loss, step.targets], store: store, pool: pool)
        }
        let rule = try updateRule(["kind": "sgd", "momentum": settings.momentum])
        let groups = ParameterGroups(store, rule: rule, decays: { _, _ in true })
        var memory = TargetMemory(settings.N, settings.C)
        let (order, trace) = (try golden.integers("input/order"), try golden.floats("trace/loss"))
        var done = 0
        for epoch in 0..<settings.epochs {
            for start in stride(from: 0, to: settings.N, by: settings.batch) {
                let ids = Array(
                    order[epoch * settings.N + start..<epoch * settings.N + min(start + settings.batch, settings.N)])
                let (step, plan) = ids.count == settings.batch ? (whole, plans[0]) : (steps[1], plans[1])
                try step.net.set(plan, golden, ids)
                plan.set(step.rows, memory.rows(ids))
                plan.forward()
                plan.backward()
                memory.take(plan.value(of: step.targets).array, ids)
                expectApart(1e-4, [plan.value(of: step.loss)[0] / Float(ids.count)], [trace[done]], "loss \(done)")
                pool.scale(store.gradients, by: 1 / Float(ids.count))
                for slot in store.trainableSlots where done == 0 {
                    let name = slot.parameter.name
                    expectApart(2e-5, store.gradients[slot.range].array, try golden.floats("grad/\(name)"), name)
                }
                done += 1
                for group in groups.groups {
                    rule.update(
                        group.run, learningRate: settings.lr, weightDecay: settings.weight_decay, step: done, pool: pool
                    )
                }
            }
        }
        #expect(done == trace.count)
        try golden.expect(store, "after/", within: 2e-5)
        expectApart(2e-5, memory.values, try golden.floats("output/target"), "targets")
        for slot in store.trainableSlots {
            let name = slot.parameter.name
            expectApart(2e-5, groups.state[0][slot.range].array, try golden.floats("output/momentum/\(name)"), name)
        }
    }

    /// The step of one network for a batch size.
    private struct Step {
        let net: SmallNet
        let rows, targets, loss: Tensor

        init(_ settings: Plain, batch: Int) {
            net = SmallNet(settings.D, settings.H, settings.C, batch: batch)
            rows = net.graph.input("rows", [batch, settings.C])
            targets = RunningTarget(keep: settings.beta, isCut: true)(net.logits, rows)
            loss = Add()(
                CrossEntropy()(net.logits, net.labels), EarlyLearning(weight: settings.lambda)(net.logits, targets))
        }
    }

    @Test(arguments: plus) func `two networks follow the reference`(_ golden: OptimFile<Plus>) throws {
        let settings = golden.settings
        let (B, K, D) = (settings.batch, settings.C, settings.D)
        let net = SmallNet(D, settings.H, K, batch: B)
        let (rows, mixed) = (net.graph.input("rows", [B, K]), net.graph.input("mixed", [B, K]))
        let factor = net.graph.input("factor", [1])
        let targets = RunningTarget(keep: settings.beta, isCut: false)(net.logits, rows)
        let loss = Add()(
            CrossEntropy()(net.logits, net.labels),
            EarlyLearning(weight: settings.lambda)(net.logits, mixed, factor: factor))
        let mixing = TargetMixing(
            .init(mixupAlpha: 1, emaAlpha: settings.ema_alpha, emaStep: settings.ema_step), seed: 0, size: B,
            inputs: D, classes: K)
        let rule = try updateRule(["kind": "sgd", "momentum": settings.momentum])
        let decay = EMADecay.ramp(settings.ema_alpha, updates: settings.ema_step)
        var options = PlanOptions()
        options.usesBatchStatistics = true
        let sides = try (1...2).map { number in
            let store = ParameterStore(net.graph, minimising: loss, seed: 0, pool: pool)
            let average = ParameterStore(net.graph, minimising: loss, seed: 0, pool: pool)
            try golden.load("param/net\(number).", into: store)
            try golden.load("param/ema\(number).", into: average)
            return Side(
                store: store, average: average,
                plan: try Plan(net.graph, minimising: loss, keeping: [loss], store: store, pool: pool),
                look: try Plan(
                    net.graph, minimising: nil, keeping: [targets], store: average, pool: pool, options: options),
                groups: ParameterGroups(store, rule: rule, decays: { _, _ in true }))
        }
        var memory = sides.map { _ in TargetMemory(settings.N, K) }
        let (order, partners) = (try golden.integers("input/order"), try golden.integers("input/mix_index"))
        let (kept, trace) = (try golden.floats("input/mixup_l"), try golden.floats("trace/loss"))
        let batches = settings.N / B
        for epoch in 0..<settings.epochs {
            for (k, side) in sides.enumerated() {
                let other = sides[1 - k]
                for batch in 0..<batches {
                    let (place, step) = ((epoch * 2 + k) * batches + batch, epoch * batches + batch)
                    let ids = Array(order[place * B..<(place + 1) * B])
                    try net.set(other.look, golden, ids)
                    other.look.set(rows, memory[k].rows(ids))
                    other.look.forward()
                    let new = other.look.value(of: targets)
                    memory[k].take(new.array, ids)
                    let (x, labels) = try net.batch(golden, ids)
                    mixing.mix(
                        .init(images: x, labels: labels, targets: new), from: 0, kept: Double(kept[place]),
                        Indices(partners[place * B..<(place + 1) * B].map { Int32($0) }), pool: pool)
                    side.plan.set(net.x, mixing.mixed.images)
                    side.plan.set(net.labels, mixing.mixed.labels)
                    side.plan.set(mixed, mixing.mixed.targets)
                    side.plan.set(factor, Floats([Float(rampUp(step + 1, over: settings.coef_step))]))
                    side.plan.forward()
                    side.plan.backward()
                    let reference = trace[(k * settings.epochs + epoch) * batches + batch]
                    let ours = side.plan.value(of: loss)[0] / Float(B)
                    expectApart(1e-4, [ours], [reference], "network \(k + 1), step \(step)")
                    pool.scale(side.store.gradients, by: 1 / Float(B))
                    for group in side.groups.groups {
                        rule.update(
                            group.run, learningRate: settings.lr, weightDecay: settings.weight_decay, step: step + 1,
                            pool: pool)
                    }
                    pool.blend(side.store.values, into: side.average.values, keep: decay.value(at: step + 1))
                }
            }
        }
        for (k, side) in sides.enumerated() {
            try golden.expect(side.store, "after/net\(k + 1).", within: 5e-5)
            try golden.expect(side.average, "after/ema\(k + 1).", within: 5e-5)
            expectApart(5e-5, memory[k].values, try golden.floats("output/target\(k + 1)"), "targets \(k + 1)")
        }
    }

    private struct Side {
        let store, average: ParameterStore
        let plan, look: Plan
        let groups: ParameterGroups
    }
}

/// Linear(D, H), batch norm, ReLU, Linear(H, C), under the names of a sequence of modules.
private struct SmallNet {
    let graph = Graph()
    let x, labels, logits: Tensor
    private let inputs, classes: Int

    init(_ D: Int, _ H: Int, _ C: Int, batch: Int) {
        (inputs, classes) = (D, C)
        x = graph.input("x", [batch, D])
        labels = graph.input("labels", [batch, C])
        let scope = graph.scope
        let hidden = BatchNorm(scope["1"], H)(Linear(scope["0"], D, H, init: .zeros)(x), .relu)
        logits = Linear(scope["3"], H, C, init: .zeros)(hidden)
    }

    func batch<Settings>(_ golden: OptimFile<Settings>, _ ids: [Int]) throws -> (x: Floats, labels: Floats) {
        let (values, classes) = (try golden.floats("input/x"), try golden.integers("input/label"))
        return (
            Floats(ids.flatMap { values[$0 * inputs..<($0 + 1) * inputs] }),
            oneHot(ids.map { classes[$0] }, self.classes)
        )
    }

    func set<Settings>(_ plan: Plan, _ golden: OptimFile<Settings>, _ ids: [Int]) throws {
        let batch = try batch(golden, ids)
        plan.set(x, batch.x)
        plan.set(labels, batch.labels)
    }
}

extension OptimFile {
    /// Parameters and statistics of the fixture, under a prefix of their names.
    func load(_ prefix: String, into store: ParameterStore) throws {
        for slot in store.slots {
            store.values[slot.range].copy(from: try floats(prefix + slot.parameter.name))
        }
        for buffer in store.buffers { store.buffer(buffer.name)?.copy(from: try numbers(prefix + buffer.name)) }
    }

    func expect(
        _ store: ParameterStore, _ prefix: String, within tolerance: Float,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        for slot in store.slots {
            let name = prefix + slot.parameter.name
            expectApart(
                tolerance, store.values[slot.range].array, try floats(name), name, sourceLocation: sourceLocation)
        }
        for buffer in store.buffers {
            let (name, ours) = (prefix + buffer.name, try #require(store.buffer(buffer.name)).array)
            expectApart(tolerance, ours, try numbers(name), name, sourceLocation: sourceLocation)
        }
    }

    private func numbers(_ key: String) throws -> [Float] {
        let tensor = try file.tensor(key)
        return tensor.kind.isFloating ? tensor.floats : tensor.integers.map { Float($0) }
    }
}
