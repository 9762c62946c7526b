import Autodiff
import Glibc
import Kernels
import Layers
import Models
import Objectives
import Optimizers
import Testing
import Training

/// Whole steps of pretraining, and the dense classifier.
@Suite struct SparKTraining {
    struct Trace: Decodable, Sendable {
        let net: SparKNet
        let feature_channels: [Int]
        let betas: [Double]
        let eps, max_grad_norm, peak_lr, wd, wd_end: Double
        let bias_correction, always_adapt: Bool
        let warmup_it, max_it, steps: Int

        private enum CodingKeys: String, CodingKey {
            case feature_channels, betas, eps, max_grad_norm, peak_lr, wd, wd_end, bias_correction, always_adapt
            case warmup_it, max_it, steps
        }

        init(from decoder: any Decoder) throws {
            net = try SparKNet(from: decoder)
            let keys = try decoder.container(keyedBy: CodingKeys.self)
            func number(_ key: CodingKeys) throws -> Double { try keys.decode(Double.self, forKey: key) }
            func count(_ key: CodingKeys) throws -> Int { try keys.decode(Int.self, forKey: key) }
            feature_channels = try keys.decode([Int].self, forKey: .feature_channels)
            betas = try keys.decode([Double].self, forKey: .betas)
            (eps, max_grad_norm) = (try number(.eps), try number(.max_grad_norm))
            (peak_lr, wd, wd_end) = (try number(.peak_lr), try number(.wd), try number(.wd_end))
            bias_correction = try keys.decode(Bool.self, forKey: .bias_correction)
            always_adapt = try keys.decode(Bool.self, forKey: .always_adapt)
            (warmup_it, max_it, steps) = (try count(.warmup_it), try count(.max_it), try count(.steps))
        }
    }

    static let traces = SparKFile<Trace>.files(holding: "input/active_0", "trace/loss")
    static let classifiers = SparKFile<SparKNet>.files(holding: "output/logits", "output/target")
    private let pool = WorkerPool(threads: 2)

    @Test(arguments: traces) func `pretraining follows the reference step by step`(_ golden: SparKFile<Trace>) throws {
        let (graph, config) = (Graph(), golden.config)
        let objective = try SparK(
            .init(maskRatio: try #require(config.net.mask_ratio), decoderWidth: try #require(config.net.decoder_width)),
            config.net.settings(), graph.scope, InputSpec(image: config.net.image))
        let stored = try golden.file.tensor("input/images")
        let images = Floats(channelsLast(stored.floats, stored.shape))
        let batch = objective.inputs(graph, batch: stored.shape[0])
        let loss = objective.loss(batch)
        let store = ParameterStore(graph, minimising: loss.sum, seed: 0, pool: pool)
        try golden.load(into: store)
        let start = store.values.array
        let plan = try Plan(graph, minimising: loss.sum, keeping: [loss.sum, loss.weight], store: store, pool: pool)
        let decay = objective.decay
        let moments = [Floats(zeros: store.gradients.count), Floats(zeros: store.gradients.count)]
        let runs = [true, false].map { decays in
            ParameterRun(
                values: store.values[0..<store.gradients.count], gradients: store.gradients, state: moments,
                tensors: store.trainableSlots.filter {
                    decay.decays($0.parameter.name, rank: $0.parameter.shape.rank) == decays
                }.map { RunTensor(range: $0.range, rank: $0.parameter.shape.rank) })
        }
        let curve = SparKRules.Curve(
            peak_lr: config.peak_lr, wd: config.wd, wd_end: config.wd_end, warmup_it: Double(config.warmup_it),
            max_it: config.max_it)
        let optimizer = curve.weightDecay(
            "lamb", config.betas, config.eps, alwaysAdapt: config.always_adapt, biasCorrection: config.bias_correction)
        let recipe = try recipe(
            with: curve.schedule + "\n" + optimizer + "\n" + section("clip", ["max_norm": config.max_grad_norm]))
        let rule = try recipe.updateRule(Catalog.own.optimizers)
        let (clip, clock) = (Clip(recipe, before: rule), EpochClock(updates: 1))
        let schedule = try recipe.learningRates(clock, Catalog.own.schedules)
        let decays = WeightDecaySchedule(recipe, clock)
        for step in 0..<config.steps {
            plan.set(batch.images, images)
            plan.set(try #require(batch.mask), try golden.active("input/active_\(step)").hidden)
            plan.forward()
            plan.backward()
            let weight = plan.value(of: loss.weight)[0]
            expectWithin(
                1e-5, [plan.value(of: loss.sum)[0] / weight], [try golden.floats("trace/loss")[step]],
                "loss of step \(step)")
            pool.scale(store.gradients, by: 1 / weight)
            let norm = try #require(clip.apply(to: runs, pool: pool))
            expectWithin(1e-4, [Float(norm)], [try golden.floats("trace/grad_norm")[step]], "norm of step \(step)")
            let rate = schedule.learningRate(at: step)
            expectWithin(1e-6, [Float(rate)], [try golden.floats("trace/lr")[step]], "rate of step \(step)")
            let weightDecay = decays.value(at: step)
            expectWithin(1e-6, [Float(weightDecay)], [try golden.floats("trace/wd")[step]], "decay of step \(step)")
            for (run, decay) in zip(runs, [weightDecay, 0]) {
                rule.update(run, learningRate: rate, weightDecay: decay, step: step + 1, pool: pool)
            }
        }
        var (difference, moved) = (0.0, 0.0)
        for name in store.names {
            let slot = try #require(store.slot(name))
            let reference = try golden.floats("after/\(name)")
            for (at, value) in zip(slot.range, reference) {
                difference += Double(store.values[at] - value) * Double(store.values[at] - value)
                moved += Double(value - start[at]) * Double(value - start[at])
            }
        }
        #expect(difference.squareRoot() <= 1e-3 * moved.squareRoot(), "off by \(difference) of \(moved)")
        for buffer in store.buffers {
            let ours = try #require(store.buffer(buffer.name)).array
            expectWithin(1e-3, ours, try golden.file.tensor("after/\(buffer.name)").numbers, buffer.name)
        }
    }

    @Test(arguments: classifiers) func `a dense classifier gives the reference's logits and gradients`(
        _ golden: SparKFile<SparKNet>
    ) throws {
        let (graph, net) = (Graph(), golden.config)
        let classes = try #require(net.num_classes)
        let objective = try Classification(
            .init(labelSmoothing: 0), net.settings(), graph.scope, InputSpec(image: net.image, classes: classes))
        let images = try golden.file.tensor("output/mixed_images")
        let batch = objective.inputs(graph, batch: images.shape[0])
        let logits = objective.predict(batch.images).logits
        let targets = try golden.floats("output/target")
        // The ResNets of the reference ask one question for each class.
        let isBinary = net.arch == "resnet"
        let loss = isBinary ? logits.apply(BinaryQuestions(targets)) : objective.loss(of: logits, batch).sum
        let weight = isBinary ? Float(1) : Float(images.shape[0])
        let store = ParameterStore(graph, minimising: loss, seed: 0, pool: pool)
        try golden.load(into: store)
        let plan = try Plan(graph, minimising: loss, keeping: [logits, loss], store: store, pool: pool)
        func run(_ plan: Plan, _ images: [Float]) throws {
            plan.set(batch.images, Floats(images))
            if !isBinary { plan.set(try #require(batch.targets), Floats(targets)) }
            plan.forward()
        }
        let mixed = channelsLast(images.floats, images.shape)
        try run(plan, mixed)
        expectWithin(1e-4, plan.value(of: logits).array, try golden.floats("output/logits"), "logits")
        expectWithin(1e-5, [plan.value(of: loss)[0] / weight], try golden.floats("output/loss"), "loss")
        let buffers = golden.buffers(store)
        try golden.compareBuffers(store)
        try golden.compareGradients(store, pool: pool) {
            try? run(plan, mixed)
            plan.backward()
            return weight
        }
        golden.restore(buffers, store)
        // Unmixed images, the running statistics after one step.
        let plain = try golden.file.tensor("input/images")
        let (other, second) = (Graph(), plain.shape[0])
        let evaluated = try Classification(
            .init(labelSmoothing: 0), net.settings(), other.scope, InputSpec(image: net.image, classes: classes))
        let input = evaluated.inputs(other, batch: second)
        let scores = evaluated.predict(input.images).logits
        let evaluation = try Plan(other, minimising: nil, keeping: [scores], store: store, pool: pool)
        evaluation.set(input.images, Floats(channelsLast(plain.floats, plain.shape)))
        evaluation.forward()
        expectWithin(1e-4, evaluation.value(of: scores).array, try golden.floats("output/eval_logits"), "evaluation")
    }
}

/// The mean over samples and classes of −t·log σ(z) − (1 − t)·log(1 − σ(z)).
private struct BinaryQuestions: Operation {
    let targets: Floats
    init(_ targets: [Float]) { self.targets = Floats(targets) }
    var keeps: Kept { .inputs }
    func outputShape(of inputs: [Shape]) throws(ShapeError) -> Shape { [1] }
    func forward(_ at: Workspace) {
        let sum = (0..<targets.count).reduce(0.0) { sum, index in
            let (z, t) = (Double(at.inputs[0][index]), Double(targets[index]))
            return sum + max(z, 0) - z * t + log1p(exp(-abs(z)))
        }
        at.output[0] = Float(sum / Double(targets.count))
    }
    func backward(_ at: Workspace) {
        guard let dx = at.inputGradients[0] else { return }
        for index in 0..<dx.count {
            let slope = (1 / (1 + exp(-Double(at.inputs[0][index]))) - Double(targets[index])) / Double(targets.count)
            dx[index] = Float(slope) * at.outputGradient[0] + (at.adds[0] ? dx[index] : 0)
        }
    }
}
