public import ArgumentParser
import Batches
import Checkpoints
import Cluster
public import Evaluation
import Kernels
import Messages
import Objectives
import Platform
import Recipes
import Training

/// The arguments that name an encoder and what is read of it.
struct EncoderFile: ParsableArguments {
    @OptionGroup var checkpoint: CheckpointOptions

    @Flag(
        help:
            "Fresh weights of the same recipe instead of the saved ones: what the architecture gives without training.")
    var untrained = false

    @Option(help: "With --untrained: the seed of the weights (default: the recipe's).")
    var weightsSeed: UInt64?

    @Option(help: "The last block that is read, from 1 (default: after pretraining the one at 2/3 of the depth).")
    var layer: Int?

    @Flag(name: .customLong("no-cache"), help: "Compute the features anew and keep none in the run folder.")
    var leavesOutCache = false

    func validate() throws {
        try requirePositive(layer ?? 1, "--layer")
        if untrained && checkpoint.ema { throw ValidationError("--untrained and --ema: weights are one or the other") }
        if weightsSeed != nil && !untrained { throw ValidationError("--weights-seed: only with --untrained") }
    }
}

/// How many blocks are read and what of them; for verbs without a protocol that says so.
struct FeatureChoice: ParsableArguments {
    @Option(help: "Blocks that are read: the last one and those before it.")
    var layers = 1

    @Option(help: "mean over the patch tokens, class_token, or both.")
    var pool = FeatureSpec.Pool.mean

    func spec(layer: Int?) -> FeatureSpec { FeatureSpec(layer: layer, layers: layers, pool: pool) }
}

extension FeatureSpec.Pool: ExpressibleByArgument {}
extension FeatureNorm: ExpressibleByArgument {}
extension ProbeProtocol: ExpressibleByArgument {}

/// An encoder ready to run, on every rank of the job.
struct OpenedEncoder {
    let session: Session
    let recipe: Recipe
    private let place: CheckpointPlace
    /// Nil: fresh weights.
    private let saved: Checkpoint?
    let extractor: FeatureExtractor
    let train: any SampleSource
    private let file: EncoderFile

    /// Collective.
    init(
        _ file: EncoderFile, over communicator: any Communicator, _ spec: (EncoderOutputs) -> FeatureSpec
    ) throws {
        let opened = try OpenedCheckpoint(file.checkpoint, over: communicator)
        (session, recipe, place) = (opened.session, opened.recipe, opened.place)
        saved = file.untrained ? nil : opened.saved
        (train, extractor) = try communicator.together { [session, recipe, saved] in
            let train = try recipe.source(recipe.data.train)
            try saved?.checkCodebook(train.tokens?.codebook.name)
            let extractor = try FeatureExtractor(
                recipe, spec, classes: train.classes?.count ?? 0,
                weights: file.untrained ? .initial(seed: file.weightsSeed) : opened.weights, pool: session.pool)
            return (train, extractor)
        }
        self.file = file
    }

    /// Collective. The samples to score on, whose classes and codebook agree with those that are learned from.
    private func testSet() throws -> any SampleSource {
        try session.communicator.together {
            guard let section = recipe.data.evaluation else { throw EvaluationError.noTestSet }
            let test = try recipe.source(section)
            for set in [train, test] where set.classes == nil { throw EvaluationError.noLabels(set: set.name) }
            try train.checkClasses(agreeWith: test)
            try train.checkTokens(agreeWith: test)
            return test
        }
    }

    /// Collective.
    /// - Returns: nil on ranks other than 0.
    func features(of source: any SampleSource) throws -> Features? {
        // `embed` takes a set that no score compares with that of training.
        try session.communicator.together { try train.checkTokens(agreeWith: source) }
        let console = session.console
        let cache = place.run.flatMap { run in
            file.leavesOutCache ? nil : FeatureCache(run + "/features") { console.warn($0) }
        }
        let meter = ProgressMeter("features", "images")
        defer { meter.finish() }
        let features = try extractor.features(of: source, cache: cache, over: session.communicator) { done, total in
            if session.communicator.rank == 0 { meter.show(done, of: total) }
            try session.stopIfAsked()
        }
        if let features, features.count < source.count {
            console.warn("\(source.name): \(source.count - features.count) samples cannot be read and are left out")
        }
        return features
    }

    /// Collective. Features to learn from and to score on.
    /// - Returns: nil on ranks other than 0.
    func labelledFeatures() throws -> (train: Features, test: Features)? {
        let test = try testSet()
        let trainFeatures = try features(of: train)
        guard let testFeatures = try features(of: test), let trainFeatures else { return nil }
        return (trainFeatures, testFeatures)
    }

    /// `step 936`, `untrained`.
    var weights: String {
        guard let saved else { return "untrained" }
        return "step \(saved.step)" + (file.checkpoint.ema ? ", EMA" : "")
    }

    /// Writes the card of a score into the run folder.
    /// - Parameters:
    ///   - samples: that were learned from.
    ///   - variant: what sets it apart from the same protocol's other scores of this step.
    func write(
        _ kind: String, _ settings: [String: JSON], seeds: [UInt64], _ scores: [String: EvaluationCard.Score],
        sets: (train: Features, test: Features), samples: Int, variant: [String]
    ) throws {
        guard let run = place.run else {
            session.console.warn("no card: \(file.checkpoint.checkpoint) lies in no run folder")
            return
        }
        let images = recipe.images
        let common: [String: JSON] = [
            "feature": .string(extractor.pieces.map(\.name).joined(separator: " + ")),
            "crop": .string("short edge to \(images.size) px, centre \(images.size) px, no augmentation"),
            "weights": .string(weights), "weights_checksum": .string(String(extractor.weightsHash, radix: 16)),
        ]
        let card = EvaluationCard(
            protocol: kind, checkpoint: saved?.path ?? "untrained \(file.checkpoint.checkpoint)", step: saved?.step,
            data: .init(
                train: sets.train.name, evaluation: sets.test.name, trainSamples: samples,
                evaluationSamples: sets.test.count),
            settings: settings.merging(common) { own, _ in own }, seeds: seeds.map { Int(clamping: $0) },
            scores: scores)
        let layer = file.layer.map { ["layer-\($0)"] } ?? []
        let state = [file.untrained ? "untrained" : saved.map { "step-\($0.step)" } ?? ""]
        let parts = [kind] + state + (file.checkpoint.ema ? ["ema"] : []) + layer + variant
        let path = try card.write(to: EvaluationCard.folder(of: run), as: parts.joined(separator: "-"))
        session.console.say("card: \(path)")
    }
}

/// `84.21 ± 0.12`, without the standard deviation where there is one value.
func scoreText(_ score: EvaluationCard.Score) -> String {
    fixed(score.mean, digits: 2) + (score.sd.map { " ± " + fixed($0, digits: 2) } ?? "")
}
