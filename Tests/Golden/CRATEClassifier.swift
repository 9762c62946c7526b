import Autodiff
import Evaluation
import Kernels
import Layers
import Models
import Objectives
import Testing

/// One step of each classifier: every value listed, the losses, every gradient, the measurements of its layers.
@Suite struct CRATEClassifier {
    static let all = CRATEFile.files(holding: "input/images", "output/logits")
    private let pool = WorkerPool(threads: 2)

    @Test func `there are classifiers to compare`() { #expect(!Self.all.isEmpty) }

    @Test(arguments: all)
    func `a classifier gives the reference's values and gradients`(_ golden: CRATEFile) throws {
        let graph = Graph()
        let (settings, patches) = try golden.classifierSettings()
        let stored = try golden.shape("input/images")
        let images = graph.apply(
            TrainedInput(graph.scope, "images", [stored[0], stored[2], stored[3], stored[1]]))
        let encoder = try CRATE(graph.scope, settings, patches)
        let classes = try #require(golden.config.num_classes)
        let head = encoder.head(graph.scope, classes: classes)
        let encoding = encoder.encode(images)
        let feature = encoder.pooled(encoding)
        let logits = head(encoder.headNorm(feature))
        let targets = graph.input("targets", [stored[0], classes])
        let smoothing = try #require(golden.config.label_smoothing)
        let loss = CrossEntropy(smoothing: smoothing)(logits, targets)
        let plainLoss = CrossEntropy()(logits, targets)
        var wanted = ["patch_tokens": encoding.patches, "tokens0": encoding.tokens, "feature": feature]
        wanted["logits"] = logits
        for (index, layer) in encoding.layers.enumerated() {
            wanted["u.\(index)"] = layer.projected
            wanted["half.\(index)"] = layer.half
            wanted["layer.\(index)"] = layer.output
            wanted["attn.\(index)"] = SubspaceAttentionWeights(heads: settings.sizes.heads)(layer.projected)
        }
        let store = ParameterStore(graph, minimising: loss, seed: 0, pool: pool)
        try golden.load(into: store, except: ["images"])
        try #require(store.value("images")).copy(from: golden.pixels("input/images"))
        let plan = try Plan(
            graph, minimising: loss, keeping: Array(wanted.values) + [loss, plainLoss], store: store, pool: pool)
        plan.set(targets, oneHot(try golden.integers("input/labels"), classes))
        plan.forward()
        plan.backward()

        let measurements = LayerMeasurements(
            encoding.layers.map { ($0.projected, $0.output) }, sizes: settings.sizes,
            epsilon: try #require(golden.config.coding_rate_eps))
        measurements.add(plan, samples: stored[0], pool: pool)
        try compare(golden, measurements.layers)
        for name in golden.parts(after: "output/") where !isMeasurement(name) {
            let reference = try golden.floats("output/\(name)")
            switch name {
            case "loss", "loss_ce":
                let sum = plan.value(of: name == "loss" ? loss : plainLoss)[0]
                expectWithin(CRATETolerance.loss, [sum / Float(stored[0])], reference, name)
            default:
                let ours = plan.value(of: try #require(wanted[name], "\(name): nothing is compared with it"))
                expectWithin(CRATETolerance.output, ours.array, reference, name)
            }
        }
        let names = golden.parts(after: "grad/")
        #expect(Set(names + ["images"]) == Set(store.trainableSlots.map(\.parameter.name)))
        for name in names {
            let ours = try #require(store.gradient(name)).array.map { $0 / Float(stored[0]) }
            expectWithin(CRATETolerance.gradient, ours, try golden.floats("grad/\(name)"), "gradient of \(name)")
        }
        let ours = try #require(store.gradient("images")).array.map { $0 / Float(stored[0]) }
        expectWithin(CRATETolerance.gradient, ours, try golden.pixels("grad_input/images"), "gradient of the images")
    }
}

/// Rows with a one at the label.
func oneHot(_ labels: [Int], _ classes: Int) -> Floats {
    let floats = Floats(zeros: labels.count * classes)
    for (row, label) in labels.enumerated() { floats[row * classes + label] = 1 }
    return floats
}

private let measured = [
    "coding_rate_mean", "coding_rate_std", "zero_fraction_mean", "zero_fraction_std", "nonzero_fraction",
]
func isMeasurement(_ name: String) -> Bool { measured.contains(name) }

/// Compares the measurements that the file lists, one number per layer.
func compare(_ golden: CRATEFile, _ layers: [LayerMeasurements.Layer]) throws {
    for name in golden.parts(after: "output/") where isMeasurement(name) {
        let ours = layers.map { layer -> Double in
            switch name {
            case "coding_rate_mean": layer.rateMean
            case "coding_rate_std": layer.rateStd ?? .nan
            case "zero_fraction_mean": layer.zeroMean
            case "zero_fraction_std": layer.zeroStd
            default: layer.nonzero
            }
        }
        expectWithin(CRATETolerance.output, ours.map { Float($0) }, try golden.floats("output/\(name)"), name)
    }
}
