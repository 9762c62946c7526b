import Autodiff
import Kernels
import Layers
import Models
import Optimizers
import Testing
import Training

/// Deep fully connected networks: one that starts at zero and escapes by noise on its gradients, one that is guided.
@Suite struct DeepNetworkGolden {
    struct Settings: Decodable, Sendable {
        let hidden_layers, width, inputs, classes, batch, steps: Int
        let eta, gamma, clip, lr, momentum: Double
        let seed: UInt64
        let index_order: [String]
    }

    static let files = optimFiles("gradient-noise", Settings.self) { $0.file.names.contains("trace/grad_norm") }

    @Test(arguments: files) func `loss, norm and parameters follow the reference`(
        _ golden: OptimFile<Settings>
    ) throws {
        let settings = golden.settings
        let pool = WorkerPool(threads: 2)
        let graph = Graph()
        let x = graph.input("x", [settings.batch, 1, settings.inputs])
        let labels = graph.input("labels", [settings.batch, settings.classes])
        let network = try FullyConnected(
            graph.scope, .init(depth: settings.hidden_layers, width: settings.width, init: .zeros),
            inputs: settings.inputs)
        let features = MeanPooling(0..<1)(try #require(network.layers(of: x).last))
        let loss = CrossEntropy()(network.head(graph.scope, classes: settings.classes)(features), labels)
        let store = ParameterStore(graph, minimising: loss, seed: 0, pool: pool)
        for slot in store.slots {
            store.values[slot.range].copy(from: try golden.floats("param/\(slot.parameter.name)"))
        }
        let plan = try Plan(graph, minimising: loss, keeping: [loss], store: store, pool: pool)
        let rule = try updateRule(["kind": "sgd", "momentum": settings.momentum])
        let groups = ParameterGroups(store, rule: rule, decays: { _, _ in false })
        let numbers = GradientNoise.order(of: store.trainableSlots.map(\.parameter.name))
        #expect(settings.index_order.enumerated().allSatisfy { numbers[$1] == UInt32($0) })
        let sites = NoiseSites(
            store.trainableSlots.map { .init($0.range, parameter: numbers[$0.parameter.name] ?? 0) })
        let noise = GradientNoise(
            .absolute(variance: settings.eta), exponent: settings.gamma, seed: settings.seed)
        for step in 0..<settings.steps {
            plan.set(x, Floats(try golden.step("input/x", step)))
            plan.set(labels, oneHot(try golden.step("input/label", step).map { Int($0) }, settings.classes))
            plan.forward()
            plan.backward()
            let ours = plan.value(of: loss)[0] / Float(settings.batch)
            expectApart(1e-5, [ours], try golden.step("trace/loss", step), "loss \(step)")
            pool.scale(store.gradients, by: 1 / Float(settings.batch))
            if step == 0 {
                for slot in store.trainableSlots {
                    let reference = try golden.floats("grad/\(slot.parameter.name)")
                    expectApart(1e-5, store.gradients[slot.range].array, reference, slot.parameter.name)
                }
            }
            let norm = try #require(Clip(limit: settings.clip).apply(to: groups.runs, pool: pool))
            expectApart(1e-5, [Float(norm)], try golden.step("trace/grad_norm", step), "norm \(step)")
            let std = noise.std(at: step, norm: norm, count: store.gradients.count)
            noise.add(to: store.gradients, sites, step: step, std: std, pool: pool)
            for group in groups.groups {
                rule.update(group.run, learningRate: settings.lr, weightDecay: 0, step: step + 1, pool: pool)
            }
        }
        for slot in store.slots {
            let name = slot.parameter.name
            expectApart(1e-5, store.values[slot.range].array, try golden.floats("after/\(name)"), name)
        }
    }

    /// Its first layer is wider than the others and every layer has a norm.
    @Test(arguments: GuidedStep.files) func `the scores of the guided network follow the reference`(
        _ golden: OptimFile<GuidedStepCase>
    ) throws {
        let (stored, batch) = (try StoredShapes(golden, "param/student."), golden.settings.batch)
        let inputs = stored.inputs("initial_layer.0")
        let depth = try #require((1..<100).first { !stored.holds("intermediate_layers.\($0 - 1).0") })
        var settings = FullyConnected.Settings(
            depth: depth, width: stored.inputs("output_layer.0"), init: .zeros)
        settings.firstWidth = stored.outputs("initial_layer.0")
        settings.hasNorms = true
        let pool = WorkerPool(threads: 1)
        let graph = Graph()
        let x = graph.input("x", [batch, 1, inputs])
        let network = try FullyConnected(graph.scope, settings, inputs: inputs)
        let features = MeanPooling(0..<1)(try #require(network.layers(of: x).last))
        let scores = network.head(graph.scope, classes: golden.settings.classes)(features)
        let store = ParameterStore(graph, minimising: nil, seed: 0, pool: pool)
        for index in 0...depth {
            let place =
                index == 0 ? "initial_layer" : index < depth ? "intermediate_layers.\(index - 1)" : "output_layer"
            for (number, ours) in ["layers", "norms"].prefix(index < depth ? 2 : 1).enumerated() {
                for part in ["weight", "bias"] {
                    try #require(store.value("\(ours).\(index).\(part)"))
                        .copy(from: golden.floats("param/student.\(place).\(number).\(part)"))
                }
            }
        }
        // With a loss the norms take the batch's statistics, as in training.
        let plan = try Plan(graph, minimising: features, keeping: [scores], store: store, pool: pool)
        plan.set(x, Floats(Array(try golden.floats("input/images").prefix(batch * inputs))))
        plan.forward()
        expectApart(1e-5, plan.value(of: scores).array, try golden.floats("output/logits"), "scores")
    }
}
