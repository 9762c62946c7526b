import Autodiff
import Checkpoints
import Cluster
import Kernels
import Layers
import Models
import Recipes

/// A layer norm and a linear classifier that read the features of each batch while the encoder learns without them:
/// they live in a graph of their own, so that no gradient reaches the encoder. Their accuracy is that of each batch
/// before they learn from it. The features are those of the training step, of cropped and partly hidden pictures: the
/// curve lies below what `lacuna probe` finds.
final class OnlineProbe {
    private let features, logits, targets: Tensor
    private let plan: Plan
    private let store: ParameterStore
    private let groups: ParameterGroups
    private let rule = AdamW(first: 0.9, second: 0.999, epsilon: 1e-8)
    private let rate: Double
    private let globalBatch: Int
    private let communicator: any Communicator
    private let pool: WorkerPool
    /// The gradients, then hits and samples of this update.
    private let shared: Floats
    /// Hits and samples since the last log line, and updates done. Whole numbers, which a Float holds up to 2^24.
    private let tally = Floats(zeros: 3)
    private let oneHot: Floats

    /// - Parameters:
    ///   - features: (B, F) of the step's graph.
    init(
        _ settings: Recipe.OnlineProbe, reading features: Tensor, classes: Int, globalBatch: Int, seed: UInt64,
        communicator: any Communicator, pool: WorkerPool
    ) throws {
        let (samples, width) = (features.shape[0], features.shape[1])
        let graph = Graph()
        let scope = graph.scope["online_probe"]
        self.features = graph.input("features", [samples, width])
        targets = graph.input("targets", [samples, classes])
        let normed = LayerNorm(scope["norm"], width, epsilon: 1e-6)(self.features)
        logits = Linear(
            scope["head"], width, classes, start: .truncatedNormal(deviation: 0.01, cut: 2))(normed)
        let loss = CrossEntropy()(logits, targets)
        var memory = Floats(zeros: 0)
        store = try ParameterStore(
            graph, minimising: loss, seed: seed, pool: pool, isFrozen: { _ in false },
            gradientMemory: { count in
                memory = try communicator.allocate(count + 2)
                return memory[0..<count]
            })
        shared = memory
        plan = try Plan(graph, minimising: loss, keeping: [logits], store: store, pool: pool)
        groups = ParameterGroups(store, rule: rule, decays: { _, _ in false })
        oneHot = Floats(zeros: samples * classes)
        (rate, self.globalBatch, self.communicator, self.pool) = (settings.rate, globalBatch, communicator, pool)
    }

    private var hits: Floats { shared[shared.count - 2..<shared.count] }

    /// The gradients of a micro-batch.
    /// - Parameters:
    ///   - labels: (B), -1 without one.
    ///   - adding: to those of the micro-batches before.
    func learn(_ values: Floats, labels: Indices, adding: Bool) {
        let classes = logits.shape[1]
        oneHot.fill(0)
        for row in 0..<labels.count where labels[row] >= 0 { oneHot[row * classes + Int(labels[row])] = 1 }
        plan.set(features, values)
        plan.set(targets, oneHot)
        plan.forward()
        if !adding { hits.fill(0) }
        let scores = plan.value(of: logits)
        for row in 0..<labels.count where labels[row] >= 0 {
            var best = row * classes
            for place in row * classes..<(row + 1) * classes where scores[place] > scores[best] { best = place }
            if best == row * classes + Int(labels[row]) { hits[0] += 1 }
            hits[1] += 1
        }
        plan.backward(adding: adding)
    }

    /// Collective. Moves the classifier by the gradients of all ranks, unless the encoder's numbers are not finite.
    func update() throws {
        try communicator.sum(shared)
        tally[0] += hits[0]
        tally[1] += hits[1]
        guard pool.isFinite(shared) else { return }
        tally[2] += 1
        pool.scale(store.gradients, by: 1 / Float(globalBatch))
        for group in groups.groups {
            rule.update(group.run, rate: rate, decay: 0, step: Int(tally[2]), pool: pool)
        }
    }

    /// Percent of the samples since the last call whose class was the first guess.
    func takeMeasures() -> [StepRecord.Measure] {
        defer { tally[0..<2].fill(0) }
        return tally[1] > 0 ? [.init("online_probe_top1", 100 * Double(tally[0]) / Double(tally[1]))] : []
    }

    /// Views of all that a resumed run needs.
    var tensors: [StoredTensor] {
        let parts = [("", store.values)] + zip(rule.stateNames.map { $0 + "/" }, groups.state)
        let numbers = parts.flatMap { name, floats in
            store.slots.map {
                StoredTensor("online_probe/\(name)\($0.parameter.name)", $0.parameter.shape, floats[$0.range])
            }
        }
        return numbers + [StoredTensor("online_probe/tally", [tally.count], tally)]
    }

    /// The memory behind `tensors`.
    var state: [Floats] { [store.values, tally] + groups.state }
}

extension Experiment {
    /// The recipe's online probe, if it has one.
    func probe(over communicator: any Communicator, pool: WorkerPool) throws -> OnlineProbe? {
        guard let settings = recipe.onlineProbe else { return nil }
        guard let probed else {
            throw ModelError(
                "online_probe", found: "objective.kind '\(recipe.objective.kind)'",
                expected: "a method that shows its features",
                hint: "leave the section out")
        }
        guard classes > 1 else {
            throw ModelError(
                "online_probe", found: "\(classes) classes in data.train", expected: "a labelled set",
                hint: "leave the section out")
        }
        return try OnlineProbe(
            settings, reading: probed, classes: classes, globalBatch: recipe.batch.global, seed: recipe.seed,
            communicator: communicator, pool: pool)
    }
}
