public import Autodiff
import Batches
import Checkpoints
import Cluster
import Kernels
import Layers
import Models
import Optimizers
public import Recipes

/// A linear classifier that reads the features of each batch while the encoder learns: a curve to watch. Nothing of the
/// encoder depends on it.
public struct OnlineProbe: HookPart {
    public static let key = "online_probe"
    public static let meaning = "A classifier on the features of each batch, to watch; absent: none."

    public struct Settings: RecipeSection {
        public let lr: Double

        public static let meanings = ["lr": "Learning rate of the classifier, AdamW."]

        public func check(_ here: Here) {
            here.require(lr > 0, at: "lr", "more than 0 expected, found \(lr)")
        }
    }

    private let settings: Settings
    /// (B, F): the mean of the features on the way.
    private let features: Tensor?

    public init?(_ step: StepRecording) {
        guard let settings = step.recipe.settings(of: Self.self) else { return nil }
        self.settings = settings
        features = step.loss.features.map { MeanPooling(0..<$0.shape[1])($0) }
    }

    public var reads: [Tensor] { features.map { [$0] } ?? [] }

    public func hook(_ context: HookContext) throws -> (any StepHook)? {
        guard let features else {
            throw ModelError(
                "online_probe", found: "objective.kind '\(context.recipe.objective.kind)'",
                expected: "a method that shows its features", hint: "leave the section out")
        }
        guard context.classes > 1 else {
            throw ModelError(
                "online_probe", found: "\(context.classes) classes in data.train", expected: "a labelled set",
                hint: "leave the section out")
        }
        return try OnlineClassifier(settings, reading: features, context)
    }
}

/// A linear classifier that reads the features of each batch while the encoder learns without it: it lives in a graph of
/// its own, so that no gradient reaches the encoder. Channels are brought to mean 0 and variance 1 by running statistics
/// over all ranks; without that a classifier would see little but what all images have in common. Its accuracy is that
/// of each batch before it learns from it. The features are those of the training step, of cropped and partly hidden images: the
/// curve lies below what `lacuna probe` finds.
private final class OnlineClassifier: StepHook {
    /// Features in the step's graph, (B, F).
    private let probed: Tensor
    private let features, logits, targets: Tensor
    private let plan: Plan
    private let store: ParameterStore
    private let groups: ParameterGroups
    private let rule = AdamW()
    private let learningRate: Double
    private let globalBatch: Int
    private let communicator: any Communicator
    private let pool: WorkerPool
    /// The gradients; hits and samples of this update; per channel Σ(x - mean) and Σ(x - mean)².
    private let shared: Floats
    /// Running, (F) each.
    private let mean, variance: Floats
    /// What the classifier reads, (B, F).
    private let normed: Floats
    /// Share of the running statistics that stays at an update.
    private static let keep: Float = 0.9
    /// Hits and samples since the last log line, and updates done. Whole numbers, which a Float holds up to 2^24.
    private let tally = Floats(zeros: 3)
    private let oneHot: Floats

    /// - Parameter features: (B, F) of the step's graph.
    init(_ settings: OnlineProbe.Settings, reading features: Tensor, _ context: HookContext) throws {
        let (communicator, pool, classes) = (context.communicator, context.pool, context.classes)
        let (samples, width) = (features.shape[0], features.shape[1])
        probed = features
        let graph = Graph()
        let scope = graph.scope["online_probe"]
        self.features = graph.input("features", [samples, width])
        targets = graph.input("targets", [samples, classes])
        logits = Linear(
            scope["head"], width, classes, init: .truncatedNormal(std: 0.01, cut: 2))(self.features)
        let loss = CrossEntropy()(logits, targets)
        var allocated = Floats(zeros: 0)
        store = try ParameterStore(
            graph, minimising: loss, seed: context.recipe.seed, pool: pool, isFrozen: { _ in false },
            gradientMemory: { count in
                allocated = try communicator.allocate(count + 2 + 2 * width)
                return allocated[0..<count]
            })
        shared = allocated
        plan = try Plan(graph, minimising: loss, keeping: [logits], store: store, pool: pool)
        groups = ParameterGroups(store, rule: rule, decays: { _, _ in false })
        (oneHot, normed) = (Floats(zeros: samples * classes), Floats(zeros: samples * width))
        (mean, variance) = (Floats(zeros: width), Floats(zeros: width))
        variance.fill(1)
        (learningRate, globalBatch) = (settings.lr, context.recipe.batch.global)
        (self.communicator, self.pool) = (communicator, pool)
    }

    private var hits: Floats { shared[store.gradients.count..<store.gradients.count + 2] }
    private var sums: Floats { shared[store.gradients.count + 2..<shared.count] }

    let name = "online probe"

    var reads: [Tensor] { [probed] }

    func note(_ plan: Plan, _ inputs: StepInputs) {
        learn(plan.value(of: probed), labels: inputs.batch.labels, adding: inputs.micro > 0)
    }

    /// The gradients of a micro-batch.
    /// - Parameters:
    ///   - labels: (B), -1 without one.
    ///   - adding: to those of the micro-batches before.
    private func learn(_ values: Floats, labels: Indices, adding: Bool) {
        let classes = logits.shape[1]
        oneHot.fill(0)
        for row in 0..<labels.count where labels[row] >= 0 { oneHot[row * classes + Int(labels[row])] = 1 }
        if !adding { shared[store.gradients.count..<shared.count].fill(0) }
        normalise(values)
        plan.set(features, normed)
        plan.set(targets, oneHot)
        plan.forward()
        let hits = hits
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
    func reduce(_ clock: TrainingClock) throws {
        try communicator.sum(shared)
        tally[0] += hits[0]
        tally[1] += hits[1]
        guard pool.isFinite(shared) else { return }
        moveStatistics()
        tally[2] += 1
        pool.scale(store.gradients, by: 1 / Float(globalBatch))
        for group in groups.groups {
            rule.update(group.run, learningRate: learningRate, weightDecay: 0, step: Int(tally[2]), pool: pool)
        }
    }

    /// Normalizes by the statistics before this update, to whose sums the batch is added.
    private func normalise(_ values: Floats) {
        let (width, sums) = (mean.count, sums)
        for channel in 0..<width {
            let (middle, factor) = (mean[channel], 1 / (variance[channel] + 1e-6).squareRoot())
            for place in stride(from: channel, to: values.count, by: width) {
                let distance = values[place] - middle
                normed[place] = distance * factor
                sums[channel] += distance
                sums[width + channel] += distance * distance
            }
        }
    }

    private func moveStatistics() {
        let (width, count, sums) = (mean.count, Float(globalBatch), sums)
        // The first batch is all that is known.
        let share = tally[2] == 0 ? 1 : 1 - Self.keep
        for channel in 0..<width {
            let shift = sums[channel] / count
            let spread = max(sums[width + channel] / count - shift * shift, 0)
            mean[channel] += share * shift
            variance[channel] += share * (spread - variance[channel])
        }
    }

    /// Percent of the samples since the last call whose class was the first guess.
    func takeMeasures() -> [Measure] {
        defer { tally[0..<2].fill(0) }
        return tally[1] > 0 ? [.init("online_probe_top1", 100 * Double(tally[0]) / Double(tally[1]))] : []
    }

    var tensors: [StoredTensor] {
        let parts = [("", store.values)] + zip(rule.stateNames.map { $0 + "/" }, groups.state)
        let numbers = parts.flatMap { name, floats in
            store.slots.map {
                StoredTensor("online_probe/\(name)\($0.parameter.name)", $0.parameter.shape, floats[$0.range])
            }
        }
        let rest = ["mean": mean, "variance": variance, "tally": tally]
        return numbers + rest.map { StoredTensor("online_probe/\($0)", [$1.count], $1) }
    }

    var memory: [Floats] { [store.values, mean, variance, tally] + groups.state }
}
