import Autodiff
import Batches
import Cluster
import Kernels
import Objectives
import Recipes

/// A classifier looked at from outside: scores of labelled sets, every image once, divided among the ranks. It
/// computes with the weights in the stores, whichever these are; of several networks it scores the mean of their logits.
final class ClassifierEvaluation {
    private let experiment: Experiment
    private let logits: Tensor
    private let plans: [Plan]
    private let communicator: any Communicator
    private let settings: Loader.Settings
    /// Of the networks' logits, (B, classes).
    private let mean: Floats

    /// - Parameters:
    ///   - classes: of the sets.
    ///   - grid: of the sets, where they are tokens.
    ///   - samples: of a rank, computed at once.
    init(
        _ recipe: Recipe, classes: Int, tokens grid: TokenGrid?, samples: Int, stores: [ParameterStore],
        communicator: any Communicator, pool: WorkerPool
    ) throws {
        experiment = try Experiment(recipe, samples: samples, classes: classes)
        guard let logits = experiment.objective.logits(experiment.batch.images) else {
            throw TrainingError.noScores(objective: recipe.objective.kind)
        }
        var plans: [Plan] = []
        for store in stores {
            var options = PlanOptions()
            options.arena = plans.first?.arena
            plans.append(
                try Plan(
                    experiment.graph, minimising: nil, keeping: [logits], store: store, pool: pool, options: options))
        }
        self.plans = plans
        mean = Floats(zeros: logits.shape.count)
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
        let keep = experiment.graph.dropPaths.map { Floats([Float](repeating: 1, count: $0.factors.shape.count)) }
        let (total, part, stops) = (ScoreTally(), ScoreTally(), Doubles(zeros: 1))
        let classes = logits.shape[1]
        for _ in 0..<sampler.updatesPerEpoch {
            let batch = try loader.next()
            let values = forward(batch.images, keep: keep)
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

    /// - Parameter keep: factors of the drop path sites.
    private func forward(_ images: Floats, keep: [Floats]) -> Floats {
        mean.fill(0)
        for plan in plans {
            plan.set(experiment.batch.images, images)
            for (site, keep) in zip(experiment.graph.dropPaths, keep) { plan.set(site.factors, keep) }
            plan.forward()
            let values = plan.value(of: logits)
            if plans.count == 1 { return values }
            for index in 0..<mean.count { mean[index] += values[index] / Float(plans.count) }
        }
        return mean
    }
}
