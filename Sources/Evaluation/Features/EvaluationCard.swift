public import Checkpoints
import FoundationEssentials
import Kernels
public import Messages
import Platform

/// A score with all that one must know to measure it again: `evaluation/NAME.json` of a run folder.
public struct EvaluationCard: Codable, Equatable, Sendable {
    /// The sets of a measurement: names, for people, and sizes.
    public struct SampleSets: Codable, Equatable, Sendable {
        public var train, evaluation: String
        public var trainSamples, evaluationSamples: Int

        public init(train: String, evaluation: String, trainSamples: Int, evaluationSamples: Int) {
            self.train = train
            self.evaluation = evaluation
            self.trainSamples = trainSamples
            self.evaluationSamples = evaluationSamples
        }

        private enum CodingKeys: String, CodingKey {
            case train, evaluation
            case trainSamples = "train_samples"
            case evaluationSamples = "evaluation_samples"
        }
    }

    /// One number of the protocol over its seeds, in the unit of its name: `top1` is in percent.
    public struct Score: Codable, Equatable, Sendable {
        public var mean: Double
        /// Sample standard deviation over the seeds; nil where there is one value.
        public var sd: Double?
        /// In the order of the card's seeds.
        public var values: [Double]

        /// - Parameter values: one or more.
        public init(_ values: [Double]) {
            precondition(!values.isEmpty, "a score has at least one value")
            let mean = values.reduce(0, +) / Double(values.count)
            let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
            self.mean = mean
            self.values = values
            sd = values.count > 1 ? (squares / Double(values.count - 1)).squareRoot() : nil
        }
    }

    /// `knn`, `linear-mae`, `linear-dinov2`, `finetune`, …
    public var name: String
    /// The model that was evaluated, for people: the folder of a checkpoint, or a file of weights.
    public var checkpoint: String
    /// Steps of training behind it; nil for weights from elsewhere.
    public var step: Int?
    public var data: SampleSets
    /// Feature, norm, crop, k, temperature, learning rates: whatever the score depends on.
    public var settings: [String: JSON]
    public var seeds: [Int]
    /// Scores by name: `top1`, `top5`.
    public var scores: [String: Score]
    /// ISO 8601, such as `2025-01-31T12:00:00Z`.
    public var date: String

    private enum CodingKeys: String, CodingKey {
        case name = "protocol"
        case checkpoint, step, data, settings, seeds, scores, date
    }

    /// - Parameter date: nil takes the present second.
    public init(
        protocol name: String, checkpoint: String, step: Int?, data: SampleSets, settings: [String: JSON],
        seeds: [Int], scores: [String: Score], date: String? = nil
    ) {
        self.name = name
        self.checkpoint = checkpoint
        self.step = step
        self.data = data
        self.settings = settings
        self.seeds = seeds
        self.scores = scores
        self.date = date ?? Date().formatted(.iso8601)
    }

    /// Where the cards of a run lie.
    public static func folder(of run: String) -> String { run + "/evaluation" }

    /// Writes the card whole or not at all; the folder is made if it is missing.
    /// - Parameter fileName: without `.json`; nil is the protocol and the step, so that a later measurement of the same
    ///   replaces an earlier one.
    /// - Returns: the path of the file.
    @discardableResult
    public func write(to folder: String, as fileName: String? = nil) throws(CheckpointError) -> String {
        let path = folder + "/" + (fileName ?? name + (step.map { "-step-\($0)" } ?? "")) + ".json"
        do {
            let text = try JSON.encoded(self, indented: true)
            try Folder(folder).create()
            let file = try OutputFile(replacing: path)
            try file.write(text + [0x0A])
            try file.commit()
        } catch let error as FileError {
            throw CheckpointError(.unwritable(diskFull: error.isDiskFull), at: error.path, found: error.reason)
        } catch {
            throw CheckpointError(
                .mismatched, at: path, found: "\(error)", expected: "finite numbers",
                hint: "JSON has no infinity and no NaN")
        }
        return path
    }

    /// The card in a file. Keys that it does not know are skipped: a later version may write more.
    public static func read(_ path: String) throws(CheckpointError) -> EvaluationCard {
        do {
            let bytes = try InputFile.contents(path, limit: 1 << 20).array
            return try JSONDecoder().decode(EvaluationCard.self, from: Data(bytes))
        } catch let error as FileError {
            throw CheckpointError(.unreadable, at: path, found: error.reason, expected: "an evaluation card")
        } catch {
            throw CheckpointError(
                .corrupt, at: path, found: Self.reason(error), expected: "an evaluation card",
                hint: "remove the file, or measure again")
        }
    }

    /// The key and what is wrong with it.
    private static func reason(_ error: any Error) -> String {
        func place(_ context: DecodingError.Context, _ last: (any CodingKey)? = nil) -> String {
            (context.codingPath + (last.map { [$0] } ?? [])).map(\.stringValue).joined(separator: ".")
        }
        switch error as? DecodingError {
        case .keyNotFound(let key, let context): return "no '\(place(context, key))'"
        case .typeMismatch(_, let context), .valueNotFound(_, let context):
            return "another kind of value at '\(place(context))'"
        case .dataCorrupted, .none: return "no JSON"
        @unknown default: return "\(error)"
        }
    }
}
