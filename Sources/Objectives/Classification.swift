public import Autodiff
import Batches
import Checkpoints
import Kernels
import Layers
public import Models
public import Recipes

/// Supervised training of an encoder with a linear head on soft targets, mean over the batch. Labels mixed by mixup or
/// cutmix come as they are; smoothing is applied here, which gives the same targets.
public struct Classification: Objective {
    public static let kind = "classification"
    public static let phase = Recipe.Kind.finetune

    public struct Settings: RecipeSection, Equatable {
        public enum Form: String, CaseIterable, Decodable, Sendable {
            case crossEntropy = "cross_entropy"
            case binary
        }

        public let loss: Form
        /// ε: the share of a target that is spread over all classes, 0..<1.
        public let labelSmoothing: Double
        public let elr: EarlyLearningSettings?

        public init(_ loss: Form = .crossEntropy, labelSmoothing: Double, elr: EarlyLearningSettings? = nil) {
            self.loss = loss
            self.labelSmoothing = labelSmoothing
            self.elr = elr
        }

        public static let defaults = ["loss": "cross_entropy", "label_smoothing": "0"]
        public static let meanings = [
            "loss": "cross_entropy over all classes, or binary: one question for each class, mean over classes.",
            "label_smoothing": "Share of a target that is spread over all classes, 0 to below 1.",
            "elr": "Early-learning regularisation, for labels that are partly wrong; absent: none.",
        ]

        public func check(_ here: Here) {
            here.require(
                (0..<1).contains(labelSmoothing), at: "label_smoothing",
                "0 to below 1 expected, found \(labelSmoothing)")
            here.require(
                elr == nil || loss == .crossEntropy, at: "elr", reading: ["loss"],
                "targets are shares of all classes: loss 'cross_entropy' expected, found '\(loss.rawValue)'")
        }
    }

    public let settings: Settings
    public static let encoderPrefix = ""
    public let encoder: any Encoder
    public let input: InputSpec
    private let head: Linear

    public init(
        _ settings: Settings, _ model: any EncoderSettings, _ scope: Scope, _ input: InputSpec
    ) throws(ModelError) {
        guard input.classes > 1 else {
            throw ModelError(
                "data.classes", found: "\(input.classes)", expected: "at least 2", hint: "give a labelled data set")
        }
        encoder = try model.encoder(scope, image: input.image, for: .classification)
        head = encoder.head(scope, classes: input.classes)
        self.settings = settings
        self.input = input
    }

    public func inputs(_ graph: Graph, batch: Int) -> BatchTensors {
        let image = input.image
        var inputs = BatchTensors(
            images: graph.input("images", [batch, image.side, image.side, encoder.inputChannels(image)]),
            targets: graph.input("targets", [batch, input.classes]))
        if let elr = settings.elr {
            func rows(_ name: String) -> Tensor { graph.input(name, [batch, input.classes]) }
            let mixed = elr.plus.map { _ in (targets: rows("mixed"), factor: graph.input("factor", [1])) }
            inputs.early = EarlyLearningTensors(rows: rows("rows"), mixed: mixed)
        }
        return inputs
    }

    /// One feature vector per image, (B, F), and the class scores before softmax, (B, K).
    public func predict(_ images: Tensor) -> (features: Tensor, logits: Tensor) {
        let features = encoder.pooled(images)
        return (features, head(features))
    }

    public func logits(_ images: Tensor) -> Tensor? { predict(images).logits }

    public func loss(_ batch: BatchTensors) -> Loss { loss(of: predict(batch.images).logits, batch) }

    /// - Parameter logits: what `predict` gave for this batch.
    public func loss(of logits: Tensor, _ batch: BatchTensors) -> Loss {
        guard let targets = batch.targets else { preconditionFailure("classification takes targets with every batch") }
        let sum =
            switch settings.loss {
            case .crossEntropy: CrossEntropy(smoothing: settings.labelSmoothing)(logits, targets)
            case .binary: BinaryCrossEntropy(smoothing: settings.labelSmoothing)(logits, targets)
            }
        var loss = Loss(sum: sum, weight: Constant(Double(logits.shape[0]))(in: logits.graph))
        guard let elr = settings.elr, let early = batch.early else { return loss }
        let penalty = EarlyLearning(weight: elr.lambda)
        if let (targets, factor) = early.mixed {
            // The other network's averaged copy runs the same graph and gives the rows.
            loss.sum = Add()(sum, penalty(logits, targets, factor: factor))
            loss.rows = RunningTarget(keep: elr.beta, isCut: false)(logits, early.rows)
        } else {
            let rows = RunningTarget(keep: elr.beta, isCut: true)(logits, early.rows)
            loss.sum = Add()(sum, penalty(logits, rows))
            loss.rows = rows
        }
        return loss
    }

    public var networks: Int { settings.elr?.networks ?? 1 }

    public func hooks(_ context: HookContext) throws -> [any StepHook] {
        var hooks: [any StepHook] = []
        if let elr = settings.elr, let early = context.batch.early, let rows = context.loss.rows {
            hooks.append(try EarlyLearningHook(elr, early, rows: rows, context))
        }
        if let labels = context.source?.noisyLabels { hooks.append(NoisyLabelRecord(labels)) }
        return hooks
    }

    public func kept(samples: Int, classes: Int, ranks: Int) -> KeptOfSamples? {
        settings.elr?.kept(samples: samples, classes: classes, ranks: ranks)
    }

    public static func check(_ settings: Settings, _ recipe: Recipe, _ here: Here) {
        settings.elr?.check(recipe, here)
    }

    public var layers: LayerDecay? { encoder.layers }
    public var decay: DecayRule { encoder.weightDecay(for: .classification) }
}

/// The labels of a set under label noise, as they are learned and as they should be: they lie in every checkpoint.
private final class NoisyLabelRecord: StepHook {
    let name = "noisy labels"
    private let labels: NoisyLabels

    init(_ labels: NoisyLabels) { self.labels = labels }

    var tensors: [StoredTensor] {
        [
            StoredTensor("labels/noisy", [labels.noisy.count], integers: labels.noisy),
            StoredTensor("labels/clean", [labels.clean.count], integers: labels.clean),
        ]
    }
}
