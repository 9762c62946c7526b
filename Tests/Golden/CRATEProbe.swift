import Autodiff
import FoundationEssentials
import Kernels
import Layers
import Optimizers
import Testing
import Training

/// The linear probe under LARS. Its norm without parameters stands here: ours takes the statistics of the whole set.
@Suite struct CRATEProbe {
    struct Settings: Decodable, Sendable {
        let dim, classes, batch, steps: Int
        let lr, momentum, trust_coefficient, weight_decay, bn_eps, bn_momentum: Double
    }

    @Test func `a linear head follows the reference's LARS step by step`() throws {
        var followed = 0
        for golden in CRATEFile.files(holding: "input/eval_features") {
            let text = try #require(golden.file.metadata["config"])
            let settings = try JSONDecoder().decode(Settings.self, from: Data(text.utf8))
            try follow(golden, settings)
            followed += 1
        }
        #expect(followed > 0)
    }

    private func follow(_ golden: CRATEFile, _ settings: Settings) throws {
        let (graph, pool) = (Graph(), WorkerPool(threads: 2))
        let head = Linear(graph.scope["head"][1], settings.dim, settings.classes, init: .zeros)
        let features = graph.input("features", [settings.batch, settings.dim])
        let targets = graph.input("targets", [settings.batch, settings.classes])
        let logits = head(features)
        let loss = CrossEntropy()(logits, targets)
        let store = ParameterStore(graph, minimising: loss, seed: 0, pool: pool)
        for name in store.names { try #require(store.value(name)).copy(from: golden.floats("param/\(name)")) }
        let plan = try Plan(graph, minimising: loss, keeping: [logits, loss], store: store, pool: pool)
        let rule = try updateRule([
            "kind": "lars", "form": "mae", "momentum": settings.momentum, "trust_coeff": settings.trust_coefficient,
        ])
        let groups = ParameterGroups(store, rule: rule, decays: { _, _ in true })
        var norm = BatchStatistics(
            mean: try golden.floats("param/head.0.running_mean"),
            variance: try golden.floats("param/head.0.running_var"),
            epsilon: settings.bn_eps, momentum: settings.bn_momentum)
        let (all, labels) = (try golden.floats("input/features"), try golden.integers("input/labels"))
        let size = settings.batch * settings.dim
        for step in 0..<settings.steps {
            plan.set(features, Floats(norm.standardised(Array(all[step * size..<(step + 1) * size]))))
            let own = labels[step * settings.batch..<(step + 1) * settings.batch]
            plan.set(targets, oneHot(Array(own), settings.classes))
            plan.forward()
            plan.backward()
            pool.scale(store.gradients, by: 1 / Float(settings.batch))
            let mean = plan.value(of: loss)[0] / Float(settings.batch)
            expectWithin(CRATETolerance.loss, [mean], [try golden.floats("trace/loss")[step]], "loss of step \(step)")
            for name in golden.parts(after: "grad/") where step == 0 {
                let ours = try #require(store.gradient(name)).array
                expectWithin(CRATETolerance.gradient, ours, try golden.floats("grad/\(name)"), "gradient of \(name)")
            }
            for group in groups.groups {
                rule.update(
                    group.run, learningRate: settings.lr, weightDecay: settings.weight_decay, step: step + 1, pool: pool
                )
            }
        }
        for name in store.names {
            let ours = try #require(store.value(name)).array
            let worst = zip(ours, try golden.floats("after/\(name)")).reduce(Float(0)) { max($0, abs($1.0 - $1.1)) }
            #expect(worst <= CRATETolerance.after, "\(name) is off by \(worst)")
        }
        expectWithin(
            CRATETolerance.output, norm.mean.map { Float($0) }, try golden.floats("after/head.0.running_mean"), "mean")
        expectWithin(
            CRATETolerance.output, norm.variance.map { Float($0) }, try golden.floats("after/head.0.running_var"),
            "variance")
        plan.set(features, Floats(norm.evaluated(try golden.floats("input/eval_features"))))
        plan.forward()
        expectWithin(
            CRATETolerance.output, plan.value(of: logits).array, try golden.floats("output/eval_logits"), "logits")
    }
}

/// A batch norm without parameters: its own statistics in training, running ones in evaluation.
private struct BatchStatistics {
    var mean, variance: [Double]
    let epsilon, momentum: Double

    init(mean: [Float], variance: [Float], epsilon: Double, momentum: Double) {
        (self.mean, self.variance) = (mean.map { Double($0) }, variance.map { Double($0) })
        (self.epsilon, self.momentum) = (epsilon, momentum)
    }

    mutating func standardised(_ x: [Float]) -> [Float] {
        let (width, rows) = (mean.count, x.count / mean.count)
        var result = x
        for column in 0..<width {
            let values = (0..<rows).map { Double(x[$0 * width + column]) }
            let centre = values.reduce(0, +) / Double(rows)
            let squares = values.reduce(0) { $0 + ($1 - centre) * ($1 - centre) }
            let deviation = (squares / Double(rows) + epsilon).squareRoot()
            for row in 0..<rows { result[row * width + column] = Float((values[row] - centre) / deviation) }
            mean[column] += momentum * (centre - mean[column])
            variance[column] += momentum * (squares / Double(rows - 1) - variance[column])
        }
        return result
    }

    func evaluated(_ x: [Float]) -> [Float] {
        x.enumerated().map { index, value in
            let column = index % mean.count
            return Float((Double(value) - mean[column]) / (variance[column] + epsilon).squareRoot())
        }
    }
}
