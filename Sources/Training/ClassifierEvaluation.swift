import Autodiff
import Batches
import Cluster
import Kernels
import Objectives
import Recipes

/// A classifier looked at from outside: scores of labelled sets, every image once, divided among the ranks. It
/// computes with the weights in the store, whichever these are.
final class ClassifierEvaluation {
    private let experiment: Experiment
    private let logits: Tensor
    private let plan: Plan
    private let communicator: any Communicator
    private let settings: Loader.Settings

    /// - Parameters:
    ///   - classes: of the sets.
    ///   - grid: of the sets, where they are tokens.
    ///   - samples: of a rank, computed at once.
    init(
        _ recipe: Recipe, classes: Int, tokens grid: TokenGrid?, samples: Int, store: ParameterStore,
        communicator: any Communicator, pool: WorkerPool
    ) throws {
        experiment = try Experiment(recipe, samples: samples, classes: classes, tokens: grid)
        guard let logits = experiment.objective.logits(experiment.batch.images) else {
            throw TrainingError.noScores(objective: recipe.objective.kind)
        }
        plan = try Plan(experiment.graph, minimising: nil, keeping: [logits], store: store, pool: pool)
        var settings = try recipe.loaderSettings(recipe.evaluationTransform, hiding: nil)
        settings.tokens = recipe.evaluationTokens(grid, channels: experiment.batch.images.shape[3])
        self.settings = settings
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
        let samples = experiment.batch.images.shape[0]
        let sampler = try Sampler(count: source.count, globalBatch: samples * communicator.size, order: .stored)
        let loader = try Loader(
            source, sampler, BatchCut(rank: communicator.rank, ranks: communicator.size), settings,
            updates: 0..<sampler.updatesPerEpoch)
        defer { loader.stop() }
        for site in experiment.graph.dropPaths {
            plan.set(site.factors, Floats([Float](repeating: 1, count: site.factors.shape.count)))
        }
        let (total, part, stops) = (ScoreTally(), ScoreTally(), Doubles(zeros: 1))
        let classes = logits.shape[1]
        for _ in 0..<sampler.updatesPerEpoch {
            let batch = try loader.next()
            plan.set(experiment.batch.images, batch.images)
            plan.forward()
            let values = plan.value(of: logits)
            part.clear()
            for slot in 0..<batch.count {
                part.add(values[slot * classes..<(slot + 1) * classes], label: Int(batch.labels[slot]))
            }
            loader.release(batch)
            try communicator.sum(part.values)
            total.add(part.values)
            stops[0] = shouldStop() ? 1 : 0
            try communicator.sum(stops)
            if stops[0] > 0 { return nil }
            progress(total.images, source.count)
        }
        for bad in loader.bad.takeReports() { badSample("bad sample replaced: \(bad)") }
        return total.scores
    }
}
