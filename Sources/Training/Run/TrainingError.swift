import Recipes

/// What ends a run. Each text says where, what was found and what to do.
public enum TrainingError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Too many updates in a row whose gradient was not finite.
    case notFinite(step: Int, inARow: Int, firstOperation: String?)
    /// Too many checkpoints in a row that could not be written, or the last one of the run.
    case cannotSave(String, inARow: Int)
    /// The batch does not divide into ranks and micro-batches.
    case batch(global: Int, ranks: Int, accumulation: Int)
    /// A recipe of another kind than the verb trains.
    case kind(String, found: String, expected: String)
    /// The run folder holds a run already.
    case alreadyStarted(String)
    /// The method gives no class scores.
    case noScores(objective: String)
    /// The starting weights are of another encoder.
    case encoder(String, [String])
    /// The starting weights have a head for other classes than the data.
    case classes(String, stored: Int, data: Int)
    /// The starting weights do not fill the encoder.
    case weights(StartingWeights.Report)
    /// A resumed run had gone on beside something else, such as another guide.
    case otherHook(String, before: String?, now: String?)
    /// A resumed run had begun with other weights.
    case otherStart(before: String?, now: String?)

    public var description: String {
        switch self {
        case .notFinite(let step, let count, let operation):
            let place = operation.map { "; the first value that is not finite comes from \($0)" } ?? ""
            return "step \(step): the gradient was not finite in \(count) updates in a row\(place). Lower "
                + "schedule.base_lr, clip the gradient, or raise limits.skipped_updates; captures/ has the samples"
        case .cannotSave(let reason, let count):
            return
                "\(count) \(count == 1 ? "checkpoint" : "checkpoints in a row") could not be written, the older ones "
                + "stand: \(reason). Make room, then go on with --resume"
        case .batch(let global, let ranks, let accumulation):
            return "batch.global \(global) does not divide into \(ranks) ranks x \(accumulation) micro-batches"
        case .kind(let recipe, let found, let expected):
            return "\(recipe): kind '\(expected)' expected, found '\(found)'"
        case .alreadyStarted(let folder):
            return "\(folder): holds a run already; continue it with --resume, or name another folder with --run"
        case .noScores(let objective):
            return "objective.kind: '\(objective)' gives no class scores; 'classification' does"
        case .encoder(let place, let differences):
            return "\(place): the weights are of another encoder: " + differences.joined(separator: "; ")
        case .classes(let place, let stored, let data):
            return "\(place): its head has \(stored) classes, the data \(data); --new-head starts a new one"
        case .weights(let report):
            return report.lines.joined(separator: "\n")
                + "\nThe encoder does not match as a whole; --allow-partial begins all the same"
        case .otherHook(let key, let before, let now):
            let name = key.prefix { $0 != "/" }
            return
                "\(name): the run had a \(name) with weights \(before ?? "of none"), now \(now ?? "none"). Bring the old "
                + "checkpoint of the \(name) back, or start another run"
        case .otherStart(let before, let now):
            let found = now.map { "--from \($0)" } ?? "no --from"
            return
                "\(found): the run had begun with \(before ?? "start values of its own"). Go on as it began, or start "
                + "another run"
        }
    }
}

extension Recipe {
    /// Samples of a micro-batch on one rank.
    func microBatch(ranks: Int) throws(TrainingError) -> Int {
        let (global, accumulation) = (batch.global, batch.gradAccumSteps)
        guard ranks > 0, global % (ranks * accumulation) == 0 else {
            throw .batch(global: global, ranks: ranks, accumulation: accumulation)
        }
        return global / ranks / accumulation
    }
}
