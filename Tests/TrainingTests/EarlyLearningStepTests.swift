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

    @Test(arguments: [[], ["objective.elr.store=sharded"], [plus], ["grad_noise.eta=0.01", "clip.norm=1"]])
    func `a step allocates nothing after the first two`(_ changes: [String]) throws {
        let trainer = try bench(Self.recipe, batch: 8, changes).trainer
        for _ in 0..<2 { _ = try trainer.step() }
        let before = allocations_of_this_thread()
        for _ in 0..<3 { _ = try trainer.step() }
        #expect(allocations_of_this_thread() == before)
    }

    @Test(arguments: [[], [plus]]) func `micro-batches and threads change nothing but the rounding`(
        _ changes: [String]
    ) throws {
        func weights(_ accumulation: Int, threads: Int) throws -> [Float] {
            let recipe = try shippedRecipe(
                Self.recipe, ["batch.global=8", "batch.accumulation=\(accumulation)"] + changes)
            let trainer = try StepBench(
                recipe, communicator: SingleProcess(), pool: WorkerPool(threads: threads)
            ).trainer
            for _ in 0..<6 { _ = try trainer.step() }
            return trainer.store.values.array
        }
        let alone = try weights(1, threads: 1)
        #expect(try weights(1, threads: 3) == alone)
    }

    @Test func `noise on the gradient depends on neither threads nor the run's batches`() throws {
        let change = "grad_noise.eta=0.01"
        let values = try [1, 2, 3].map { threads in
            let trainer = try bench(Self.recipe, batch: 8, threads: threads, [change, "objective.elr=null"]).trainer
            for _ in 0..<4 { _ = try trainer.step() }
            return trainer.store.values.array
        }
        #expect(values[0] == values[1] && values[0] == values[2])
        let still = try bench(Self.recipe, batch: 8, [change, "grad_noise.enabled=false", "objective.elr=null"]).trainer
        let without = try bench(Self.recipe, batch: 8, ["objective.elr=null"]).trainer
        for _ in 0..<4 {
            _ = try still.step()
            _ = try without.step()
        }
        #expect(still.store.values.array == without.store.values.array && still.store.values.array != values[0])
    }

    @Test func `the plan counts targets, networks and averages`() throws {
        let data = "\(package)/Datasets/digits/digits.safetensors"
        let paths = ["data.train.path=\(data)", "data.evaluation.path=\(data)"]
        let one = try PlanSummary(shippedRecipe(Self.recipe, paths), ranks: 1)
        #expect(one.targets?.bytes == 4 * 1400 * 10 && one.targets?.areSharded == false && one.networks == 1)
        let shared = try PlanSummary(shippedRecipe(Self.recipe, paths + ["objective.elr.store=sharded"]), ranks: 4)
        #expect(shared.targets?.bytes == 4 * 350 * 10 && shared.targets?.areSharded == true)
        let two = try PlanSummary(
            shippedRecipe(Self.recipe, paths + ["objective.elr.plus={mixup_alpha: 1, ema_alpha: 0.9}"]), ranks: 1)
        #expect(two.networks == 2 && two.targets?.bytes == 8 * 1400 * 10)
        #expect(two.parameterBytes == 2 * one.parameterBytes && two.averageBytes == 2 * one.parameterBytes)
        #expect(two.length?.updates == one.length.map { 2 * $0.updates })
        #expect(two.checkpointBytes > one.checkpointBytes && one.memoryBytes < two.memoryBytes)
    }
}
