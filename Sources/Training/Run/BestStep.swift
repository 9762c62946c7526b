import Checkpoints
import Messages
import Recipes

/// When the steps of a run are evaluated, and which is the best so far. What it decides is part of the run's state, so
/// that a resumed run goes on as if it had never stopped.
struct BestStep {
    struct Best: Equatable {
        let step: Int
        /// The recipe's metric.
        let value: Double
        /// Whether the EMA weights of that step scored it.
        let isAveraged: Bool
    }

    private let everyUpdates: Int
    private let metric: Recipe.Evaluation.Metric
    /// The step of the last evaluation.
    private(set) var evaluated = 0
    private(set) var best: Best?

    init(_ recipe: Recipe.Evaluation, perEpoch: Int) {
        everyUpdates = recipe.everyUpdates ?? (recipe.everyEpochs ?? 1) * perEpoch
        metric = recipe.metric
    }

    func isDue(_ step: Int, isLast: Bool) -> Bool { step > evaluated && (step % everyUpdates == 0 || isLast) }

    /// Notes what the weights of a step score, and those averaged until then. The earlier of equal ones stays the best.
    /// - Returns: true for the best so far.
    mutating func note(step: Int, _ scores: Scores, averaged: Scores?) -> Bool {
        evaluated = step
        let before = best
        for (scores, isAveraged) in [(scores, false), (averaged ?? scores, true)] {
            guard !isAveraged || averaged != nil, isBetter(value(scores), than: best?.value) else { continue }
            best = Best(step: step, value: value(scores), isAveraged: isAveraged)
        }
        return best != before
    }

    private func value(_ scores: Scores) -> Double {
        switch metric {
        case .top1: scores.top1
        case .loss: scores.loss
        }
    }

    private func isBetter(_ value: Double, than other: Double?) -> Bool {
        guard let other else { return !value.isNaN }
        return metric == .loss ? value < other : value > other
    }

    /// `best top-1 85.32 % at step 900, EMA`
    var text: String {
        guard let best else { return "none is a number" }
        let value = metric == .top1 ? "top-1 \(fixed(best.value, digits: 2)) %" : "loss \(fixed(best.value, digits: 4))"
        let weights = best.isAveraged ? ", EMA" : ""
        return "best \(value) at step \(best.step)\(weights)"
    }

    // MARK: State

    var state: [String: JSON] {
        var state: [String: JSON] = ["evaluation/step": .integer(evaluated)]
        if let best {
            state["best/step"] = .integer(best.step)
            state["best/value"] = .number(best.value)
            state["best/averaged"] = .bool(best.isAveraged)
        }
        return state
    }

    mutating func restore(_ state: [String: JSON]) {
        evaluated = state["evaluation/step"]?.integer ?? 0
        guard let step = state["best/step"]?.integer, let value = state["best/value"]?.number else { return }
        best = Best(step: step, value: value, isAveraged: state["best/averaged"]?.bool ?? false)
    }
}
