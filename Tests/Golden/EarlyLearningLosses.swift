import Autodiff
import Kernels
import Layers
import Objectives
import Optimizers
import Testing
import Training

/// The losses of early-learning regularisation with their targets, step by step.
@Suite struct EarlyLearningLosses {
    struct Steps: Decodable, Sendable {
        let num_examples, num_classes, batch, steps: Int
        let beta, lambda: Double
        let coef_step: Int?
        let reweight_labels: Bool?
    }

    static let plain = optimFiles("elr", Steps.self) { $0.file.names.contains("output/target_rows") }
    static let plus = optimFiles("elr", Steps.self) { $0.file.names.contains("output/pred_hist") }
    private let pool = WorkerPool(threads: 2)

    @Test(arguments: plain) func `loss, targets and gradient follow the reference`(_ golden: OptimFile<Steps>) throws {
        let (settings, shape) = (golden.settings, Shape([golden.settings.batch, golden.settings.num_classes]))
        let graph = Graph()
        let logits = graph.apply(TrainedInput(graph.scope, "logits", shape))
        let (labels, rows) = (graph.input("labels", shape), graph.input("rows", shape))
        let targets = RunningTarget(keep: settings.beta, isCut: true)(logits, rows)
        let entropy = CrossEntropy()(logits, labels)
        let penalty = EarlyLearning(weight: 1)(logits, targets)
        let loss = Add()(entropy, EarlyLearning(weight: settings.lambda)(logits, targets))
        let store = ParameterStore(graph, minimising: loss, seed: 0, pool: pool)
        let plan = try Plan(
            graph, minimising: loss, keeping: [loss, entropy, penalty, targets], store: store, pool: pool)
        var memory = TargetMemory(settings.num_examples, settings.num_classes)
        let B = Float(settings.batch)
        for step in 0..<settings.steps {
            let ids = try golden.step("input/index", step).map { Int($0) }
            try #require(store.value("logits")).copy(from: try golden.step("input/logits", step))
            plan.set(labels, oneHot(try golden.step("input/label", step).map { Int($0) }, settings.num_classes))
            plan.set(rows, memory.rows(ids))
            plan.forward()
            plan.backward()
            let new = plan.value(of: targets).array
            memory.take(new, ids)
            expectApart(1e-5, [plan.value(of: loss)[0] / B], try golden.step("output/loss", step), "loss \(step)")
            expectApart(1e-5, [plan.value(of: entropy)[0] / B], try golden.step("output/ce", step), "entropy \(step)")
            expectApart(1e-5, [plan.value(of: penalty)[0] / B], try golden.step("output/reg", step), "penalty \(step)")
            expectApart(1e-6, new, try golden.step("output/target_rows", step), "targets \(step)")
            let gradient = try #require(store.gradient("logits")).array.map { $0 / B }
            expectApart(1e-6, gradient, try golden.step("grad/logits", step), "gradient \(step)")
        }
        expectApart(1e-6, memory.values, try golden.floats("output/target"), "all targets")
    }

    @Test(arguments: plus) func `the loss with mixed targets follows the reference`(_ golden: OptimFile<Steps>) throws {
        let (settings, shape) = (golden.settings, Shape([golden.settings.batch, golden.settings.num_classes]))
        let (B, K) = (settings.batch, settings.num_classes)
        let graph = Graph()
        let logits = graph.apply(TrainedInput(graph.scope, "logits", shape))
        let (other, rows) = (graph.input("other", shape), graph.input("rows", shape))
        let (labels, mixed, factor) = (graph.input("labels", shape), graph.input("mixed", shape), graph.input("f", [1]))
        let targets = RunningTarget(keep: settings.beta, isCut: false)(other, rows)
        let loss = Add()(
            CrossEntropy()(logits, labels), EarlyLearning(weight: settings.lambda)(logits, mixed, factor: factor))
        let store = ParameterStore(graph, minimising: loss, seed: 0, pool: pool)
        let plan = try Plan(graph, minimising: loss, keeping: [loss], store: store, pool: pool)
        let average = try Plan(graph, minimising: nil, keeping: [targets], store: store, pool: pool)
        func mixing(reweights: Bool) -> TargetMixing {
            TargetMixing(
                .init(mixupAlpha: 1, emaAlpha: 0.9, emaStep: nil, reweightLabels: reweights), seed: 0, size: B,
                inputs: 1, classes: K)
        }
        let (plain, reweighted) = (mixing(reweights: false), mixing(reweights: settings.reweight_labels ?? false))
        var memory = TargetMemory(settings.num_examples, K)
        for step in 0..<settings.steps {
            let ids = try golden.step("input/index", step).map { Int($0) }
            average.set(other, Floats(try golden.step("input/logits_ema", step)))
            average.set(rows, memory.rows(ids))
            average.forward()
            let new = average.value(of: targets)
            memory.take(new.array, ids)
            expectApart(1e-6, new.array, try golden.step("output/hist_rows", step), "targets \(step)")
            let batch = TargetMixing.Samples(
                images: Floats(zeros: B), labels: oneHot(try golden.step("input/label", step).map { Int($0) }, K),
                targets: Floats(new.array))
            let partners = Indices(try golden.step("input/mix_index", step).map { Int32($0) })
            let kept = Double(try golden.step("input/mixup_l", step)[0])
            for mixing in [plain, reweighted] { mixing.mix(batch, from: 0, kept: kept, partners, pool: pool) }
            expectApart(1e-6, plain.mixed.labels.array, try golden.step("output/label_mixed", step), "labels \(step)")
            expectApart(1e-6, plain.mixed.targets.array, try golden.step("output/q", step), "mixed targets \(step)")
            let ramp = rampUp(Int(try golden.step("input/iteration", step)[0]), over: settings.coef_step ?? 0)
            expectApart(1e-6, [Float(ramp)], try golden.step("output/coef", step), "factor \(step)")
            try #require(store.value("logits")).copy(from: try golden.step("input/logits", step))
            plan.set(labels, reweighted.mixed.labels)
            plan.set(mixed, reweighted.mixed.targets)
            plan.set(factor, Floats([Float(ramp)]))
            plan.forward()
            plan.backward()
            let ours = plan.value(of: loss)[0] / Float(B)
            expectApart(1e-5, [ours], try golden.step("output/loss", step), "loss \(step)")
            let gradient = try #require(store.gradient("logits")).array.map { $0 / Float(B) }
            expectApart(1e-6, gradient, try golden.step("grad/logits", step), "gradient \(step)")
        }
        expectApart(1e-6, memory.values, try golden.floats("output/pred_hist"), "all targets")
    }

    struct Ramp: Decodable, Sendable { let coef_step: Int }
    static let ramps = optimFiles("elr", Ramp.self) { $0.file.names.contains("output/coef_0") }

    @Test(arguments: ramps) func `the factor on the penalty follows its ramp`(_ golden: OptimFile<Ramp>) throws {
        let names = golden.parts(after: "output/coef_")
        for (index, step) in try golden.integers("input/step").enumerated() {
            for name in names {
                let reference = Double(try golden.floats("output/coef_\(name)")[index])
                expectRelative(rampUp(step, over: try #require(Int(name))), reference, 1e-6, "\(name), \(step)")
            }
        }
    }
}

/// Targets of all samples, by sample.
struct TargetMemory {
    let classes: Int
    private(set) var values: [Float]

    init(_ samples: Int, _ classes: Int) {
        self.classes = classes
        values = [Float](repeating: 0, count: samples * classes)
    }

    func rows(_ ids: [Int]) -> Floats { Floats(ids.flatMap { values[$0 * classes..<($0 + 1) * classes] }) }

    mutating func take(_ rows: [Float], _ ids: [Int]) {
        for (row, id) in ids.enumerated() {
            values.replaceSubrange(id * classes..<(id + 1) * classes, with: rows[row * classes..<(row + 1) * classes])
        }
    }
}

extension OptimFile {
    /// One step of a tensor whose first extent counts them; whole numbers as floats.
    func step(_ key: String, _ step: Int) throws -> [Float] {
        let tensor = try file.tensor(key)
        let all = tensor.kind.isFloating ? tensor.floats : tensor.integers.map { Float($0) }
        let count = all.count / tensor.shape[0]
        return Array(all[step * count..<(step + 1) * count])
    }
}

/// |ours − reference| at most `tolerance`.
func expectApart(
    _ tolerance: Float, _ ours: [Float], _ reference: [Float], _ what: String,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    guard ours.count == reference.count else {
        Issue.record("\(what): \(ours.count) values, reference \(reference.count)", sourceLocation: sourceLocation)
        return
    }
    let worst = zip(ours, reference).map { abs($0 - $1) }.reduce(Float(0)) { $1.isNaN ? .infinity : max($0, $1) }
    #expect(worst <= tolerance, "\(what): off by \(worst)", sourceLocation: sourceLocation)
}
