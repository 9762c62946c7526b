import Autodiff
import Batches
import Cluster
import Kernels
import Objectives
import Recipes

/// A classifier scored from outside: labelled sets, every image once, divided among the ranks. It computes with the
/// weights in the stores, whichever these are; of several networks it scores the mean of their logits.
final class ClassifierEvaluation {
    private let models: [LoadedModel]
    private let plans: [Plan]
    private let logits: Tensor
    private let communicator: any Communicator
    /// Mean of the networks' logits, (B, classes).
    private let mean: Floats

    /// - Parameters:
    ///   - classes: of the sets.
    ///   - samples: of a rank, computed at once.
    init(
        _ recipe: Recipe, classes: Int, samples: Int, stores: [ParameterStore], communicator: any Communicator,
        pool: WorkerPool
    ) throws {
        let experiment = try Experiment(recipe, samples: samples, classes: classes)
        guard let logits = experiment.objective.logits(experiment.batch.images) else {
            throw TrainingError.noScores(objective: recipe.objective.kind)
        }
        models = stores.map { LoadedModel(experiment, $0, pool: pool) }
        var plans: [Plan] = []
        for model in models { plans.append(try model.plan(keeping: [logits], arena: plans.first?.arena)) }
        self.plans = plans
        mean = Floats(zeros: logits.shape.count)
        (self.logits, self.communicator) = (logits, communicator)
    }

    /// Collective.
    /// - Parameters:
    ///   - shouldStop: asked after each batch; if one rank says so, all stop.
    ///   - progress: told after each batch how many images of all are done.
    /// - Returns: nil when stopped.
    func scores(
        on source: any SampleSource, shouldStop: () -> Bool,
        progress: (_ done: Int, _ total: Int) -> Void = { _, _ in },
        badSample: (String) -> Void = { _ in }
    ) throws -> Scores? {
        let (total, part, stops) = (ScoreTally(), ScoreTally(), Doubles(zeros: 1))
        let classes = logits.shape[1]
        try models[0].forEachBatch(of: source, over: communicator, badSample: badSample) { batch, _, stop in
            let values = forward(batch.images)
            part.clear()
            for slot in 0..<batch.count {
                part.add(values[slot * classes..<(slot + 1) * classes], label: Int(batch.labels[slot]))
            }
            try communicator.sum(part.values)
            total.add(part.values)
            stops[0] = shouldStop() ? 1 : 0
            try communicator.sum(stops)
            stop = stops[0] > 0
            if !stop { progress(total.images, source.count) }
        }
        return stops[0] > 0 ? nil : total.scores
    }

    private func forward(_ images: Floats) -> Floats {
        mean.fill(0)
        for (model, plan) in zip(models, plans) {
            model.forward(plan, images)
            let values = plan.value(of: logits)
            if plans.count == 1 { return values }
            for index in 0..<mean.count { mean[index] += values[index] / Float(plans.count) }
        }
        return mean
    }
}
