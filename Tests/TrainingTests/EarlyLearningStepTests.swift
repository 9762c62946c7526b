import AllocationCounter
import Batches
import Cluster
import Kernels
import Objectives
import Recipes
import Testing
import Training

/// Steps with early-learning regularisation and gradient noise through the trainer itself.
@Suite struct EarlyLearningStepTests {
    private static let recipe = "Recipes/elr-fcn2x256-digits-sym40-150ep.yaml"
    private static let plus = "objective.elr.plus={mixup_alpha: 1, ema_alpha: 0.9, mixup_slice: 4}"

    @Test(arguments: [[], ["objective.elr.store=sharded"], [plus], ["grad_noise.eta=0.01", "clip.max_norm=1"]])
    func `a step allocates nothing after the first two`(_ changes: [String]) throws {
        let trainer = try bench(Self.recipe, batch: 8, changes).trainer
        for _ in 0..<2 { _ = try trainer.step() }
        let before = allocations_of_this_thread()
        for _ in 0..<3 { _ = try trainer.step() }
        #expect(allocations_of_this_thread() == before)
    }

    /// Learns from the digits, eight an update; two networks take turns every three updates.
    private func digits(_ changes: [String], accumulation: Int, threads: Int) throws -> Trainer {
        let data = "data.train.path=\(package)/Datasets/digits/digits.safetensors"
        let recipe = try shippedRecipe(
            Self.recipe, [data, "batch.global=8", "batch.grad_accum_steps=\(accumulation)"] + changes)
        let source = try recipe.source(recipe.data.train)
        let experiment = try Experiment(recipe, samples: 8 / accumulation, classes: 10)
        let loader = try Loader(
            source, Sampler(count: source.count, globalBatch: 8, order: .shuffled(seed: recipe.seed)),
            BatchCut(accumulation: accumulation),
            recipe.trainingSettings(experiment.objective, experiment.batch, of: source), updates: 0..<9)
        return try Trainer(
            experiment, feed: loader, updatesPerEpoch: 3, source: source,
            communicator: SingleProcess(), pool: WorkerPool(threads: threads))
    }

    @Test(arguments: [[], [plus]]) func `micro-batches and threads change nothing but the rounding`(
        _ changes: [String]
    ) throws {
        func weights(_ accumulation: Int, threads: Int) throws -> [Float] {
            let trainer = try digits(changes, accumulation: accumulation, threads: threads)
            for _ in 0..<9 { _ = try trainer.step() }
            return trainer.store.values.array
        }
        let alone = try weights(1, threads: 1)
        #expect(try weights(1, threads: 3) == alone)
        let apart = try zip(weights(2, threads: 1), alone).map { abs($0 - $1) }.max() ?? .infinity
        #expect(apart < 1e-5, "\(apart)")
    }

    @Test func `noise on the gradient depends on neither threads nor the run's batches`() throws {
        let noise = "grad_noise.eta=0.01"
        func weights(_ changes: [String], batch: Int = 8, threads: Int = 1, steps: Int = 4) throws -> [Float] {
            let bench = try bench(Self.recipe, batch: batch, threads: threads, changes + ["objective.elr=null"])
            for _ in 0..<steps { try bench.step() }
            return bench.trainer.store.values.array
        }
        let values = try [1, 2, 3].map { try weights([noise], threads: $0) }
        #expect(values[0] == values[1] && values[0] == values[2])
        let still = try weights([noise, "grad_noise.enabled=false"])
        #expect(try still == weights([]) && still != values[0])
        // How far the noise of one update moves the weights: σ of 0.1 at a rate of 0.05.
        let moved = try [8, 16].map { batch in
            try zip(weights([noise], batch: batch, steps: 1), weights([], batch: batch, steps: 1)).map { $0 - $1 }
        }
        let apart = zip(moved[0], moved[1]).map { abs($0 - $1) }.max() ?? .infinity
        #expect(apart < 1e-6 && moved[0].contains { abs($0) > 5e-3 }, "\(apart)")
    }

    @Test func `the plan counts targets, networks and averages`() throws {
        let data = "\(package)/Datasets/digits/digits.safetensors"
        let paths = ["data.train.path=\(data)", "data.evaluation.path=\(data)"]
        let one = try PlanSummary(shippedRecipe(Self.recipe, paths), ranks: 1)
        #expect(one.targets?.bytes == 4 * 1400 * 10 && one.targets?.areSharded == false && one.networks == 1)
        let shared = try PlanSummary(shippedRecipe(Self.recipe, paths + ["objective.elr.store=sharded"]), ranks: 4)
        #expect(shared.targets?.bytes == 4 * 350 * 10 && shared.targets?.areSharded == true)
        #expect(one.gatheredTargetBytes == 0 && shared.gatheredTargetBytes == 4 * 1400 * 10)
        let two = try PlanSummary(
            shippedRecipe(Self.recipe, paths + ["objective.elr.plus={mixup_alpha: 1, ema_alpha: 0.9}"]), ranks: 1)
        #expect(two.networks == 2 && two.targets?.bytes == 8 * 1400 * 10)
        #expect(two.parameterBytes == 2 * one.parameterBytes && two.averageBytes == 2 * one.parameterBytes)
        #expect(two.length?.updates == one.length.map { 2 * $0.updates })
        #expect(two.checkpointBytes > one.checkpointBytes && one.memoryBytes < two.memoryBytes)
    }
}
