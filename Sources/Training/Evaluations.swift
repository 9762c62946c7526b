import Checkpoints
import Kernels
import Recipes

/// The evaluations of a run: when they are due, and which step is the best so far. What they decide is part of the
/// run's state, so that a resumed run goes on as if it had never stopped.
struct Evaluations {
    struct Best: Equatable {
        let step: Int
        let value: Double
        /// By the averaged weights of that step.
        let isAveraged: Bool
    }

    private let everyUpdates: Int
    private let metric: Recipe.Evaluation.Metric
    /// The step of the last one.
    private(set) var step = 0
    private(set) var best: Best?

    init(_ recipe: Recipe.Evaluation, perEpoch: Int) {
        everyUpdates = recipe.everyUpdates ?? (recipe.everyEpochs ?? 1) * perEpoch
        metric = recipe.metric
    }

    func isDue(_ step: Int, isLast: Bool) -> Bool {
        step > self.step && (step % everyUpdates == 0 || isLast)
    }

    /// Notes what the weights of a step score, and those averaged until then.
    /// - Returns: true for the best so far.
    mutating func note(step: Int, _ scores: Scores, averaged: Scores?) -> Bool {
        self.step = step
        let candidates =
            [Best(step: step, value: value(scores), isAveraged: false)]
            + (averaged.map { [Best(step: step, value: value($0), isAveraged: true)] } ?? [])
        let before = best
        for candidate in candidates where isBetter(candidate.value, than: best?.value) { best = candidate }
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

    var bestText: String {
        guard let best else { return "" }
        let value = metric == .top1 ? "top-1 \(fixed(best.value, digits: 2)) %" : "loss \(fixed(best.value, digits: 4))"
        return "best \(value) at step \(best.step)\(best.isAveraged ? ", averaged" : "")"
    }

    // MARK: State

    var state: [String: JSON] {
        var state: [String: JSON] = ["evaluation/step": .integer(step)]
        if let best {
            state["best/step"] = .integer(best.step)
            state["best/value"] = .number(best.value)
            state["best/averaged"] = .bool(best.isAveraged)
        }
        return state
    }

    mutating func restore(_ state: [String: JSON]) {
        step = state["evaluation/step"]?.integer ?? 0
        guard let step = state["best/step"]?.integer, let value = state["best/value"]?.number else { return }
        best = Best(step: step, value: value, isAveraged: state["best/averaged"]?.bool ?? false)
    }
}
