import Batches
import Checkpoints
import Cluster
import Kernels
import Objectives
import Optimizers
import Recipes

/// The scores of a run: of its steps while it goes on, of its weights when it is over. All calls are collective.
final class RunEvaluations {
    /// Nil where the recipe asks for no evaluation of steps.
    private(set) var steps: BestStep?
    private let trainer: Trainer
    private let sets: TrainingSets
    private let communicator: any Communicator
    private let speaker: any RunSpeaker
    private let shouldStop: () -> Bool
    private let evaluation: ClassifierEvaluation
    /// The samples that steps are scored on.
    private let seen: (any SampleSource)?
    /// They are the whole test set: what it says of a step need not be asked again.
    private let stepsSeeTest: Bool
    private var known: [Weights: Scores] = [:]

    private struct Weights: Hashable {
        let step: Int
        let isAveraged: Bool
    }

    /// - Parameter shouldStop: asked after every batch; tells the watchdog besides that the rank goes on.
    init(
        _ trainer: Trainer, _ sets: TrainingSets, state: RunState?, communicator: any Communicator, pool: WorkerPool,
        speaker: any RunSpeaker, shouldStop: @escaping () -> Bool
    ) throws {
        let recipe = trainer.recipe
        steps = recipe.evaluation.map { BestStep($0, perEpoch: trainer.clock.updatesPerEpoch) }
        if let state { steps?.restore(state.extra) }
        evaluation = try ClassifierEvaluation(
            recipe, classes: sets.train.classes?.count ?? 0, samples: recipe.evaluation?.batch ?? trainer.samples,
            stores: trainer.networks.map(\.store), communicator: communicator, pool: pool)
        seen = recipe.evaluation.flatMap { sets.evaluation?.atMost($0.images, seed: recipe.seed) }
        stepsSeeTest = sets.validation == nil && seen?.count == sets.test?.count
        (self.trainer, self.sets, self.communicator) = (trainer, sets, communicator)
        (self.speaker, self.shouldStop) = (speaker, shouldStop)
    }

    func isDue(_ step: Int, isLast: Bool) -> Bool { steps?.isDue(step, isLast: isLast) ?? false }

    /// Scores the weights of this step, and those averaged until now.
    /// - Returns: whether they are the best so far; nil when a rank was asked to stop.
    func evaluate(_ log: RunLog?) throws -> Bool? {
        guard let seen else { return false }
        let step = trainer.clock.step
        guard let last = try scores(on: seen) else { return nil }
        var averaged: Scores?
        if trainer.average != nil {
            averaged = try trainer.withAverage { try scores(on: seen) } ?? nil
            if averaged == nil { return nil }
        }
        let isBest = steps?.note(step: step, last, averaged: averaged) ?? false
        if stepsSeeTest {
            known[Weights(step: step, isAveraged: false)] = last
            known[Weights(step: step, isAveraged: true)] = averaged
        }
        var measures = last.measures + (averaged?.measures ?? []).map { Measure("average_" + $0.name, $0.value) }
        for hook in trainer.hooks { measures += try hook.evaluationMeasures() }
        log?.write("evaluation", step: step, measures + [.init("images", Double(last.images))])
        let other = averaged.map { "; averaged \($0.text)" } ?? ""
        speaker.say("evaluation of step \(step): \(last.text)\(other); \(steps?.text ?? "")")
        return isBest
    }

    /// What the test set says of the last weights, those averaged, and those of the best step.
    /// - Parameter folder: of the run, where the best step lies.
    /// - Returns: nil when a rank was asked to stop.
    func test(in folder: String) throws -> [TestResult]? {
        guard let set = sets.test else { return [] }
        var results: [TestResult] = []
        func note(_ kind: TestResult.Kind, _ weights: Weights, _ measure: () throws -> Scores?) throws -> Bool {
            guard let scores = try known[weights] ?? measure() else { return false }
            known[weights] = scores
            results.append(
                TestResult(kind: kind, step: weights.step, isAveraged: weights.isAveraged, scores: scores))
            return true
        }
        let last = trainer.clock.step
        guard try note(.last, Weights(step: last, isAveraged: false), { try scores(on: set) }) else { return nil }
        if trainer.average != nil {
            let weights = Weights(step: last, isAveraged: true)
            guard try note(.ema, weights, { try trainer.withAverage { try scores(on: set) } ?? nil }) else {
                return nil
            }
        }
        guard let best = steps?.best, trainer.recipe.checkpoint != nil else { return results }
        let isNoted = try note(.best, Weights(step: best.step, isAveraged: best.isAveraged)) {
            try trainer.takeWeights(
                ofStep: best.step, averaged: best.isAveraged, in: folder, over: communicator)
            return try scores(on: set)
        }
        return isNoted ? results : nil
    }

    private func scores(on set: any SampleSource) throws -> Scores? {
        var meter = EvaluationMeter(set.name)
        return try evaluation.scores(
            on: set, shouldStop: shouldStop,
            progress: { done, total in meter.line(done, of: total).map { speaker.show($0) } },
            badSample: { speaker.warn($0) })
    }
}
