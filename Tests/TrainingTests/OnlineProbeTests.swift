import Batches
import Cluster
import Kernels
import Models
import Objectives
import Recipes
import Testing
import Training

@Suite struct OnlineProbeTests {
    private static let micro = "Recipes/simmim-vit_micro-digits.yaml"

    @Test(arguments: [1, 2]) func `the encoder learns the same bits with a probe that looks on`(
        accumulation: Int
    ) throws {
        func weights(_ changes: [String]) throws -> [[Float]] {
            let recipe = try shippedRecipe(
                Self.micro, ["batch.global=8", "batch.grad_accum_steps=\(accumulation)", "ema.decay=0.9"] + changes)
            let trainer = try StepBench(
                recipe, communicator: SingleProcess(), pool: WorkerPool(threads: 2)
            ).trainer
            for _ in 0..<4 { _ = try trainer.step() }
            return [trainer.store.values.array] + trainer.groups.state.map(\.array)
        }
        #expect(try weights(["online_probe.lr=0.1"]) == weights([]))
    }

    @Test func `a probe that cannot learn is refused`() throws {
        let recipe = try shippedRecipe(Self.micro, ["online_probe.lr=0.1", "batch.global=8"])
        let unlabelled = try Experiment(recipe, samples: 8, classes: 0)
        let batch = RepeatedBatch(Batch(synthetic: BatchShape(size: 8, height: 16, width: 16, maskCount: 16), seed: 0))
        let error = #expect(throws: ModelError.self) {
            try Trainer(
                unlabelled, feed: batch, updatesPerEpoch: 10, communicator: SingleProcess(),
                pool: WorkerPool(threads: 1))
        }
        #expect(
            error.map { "\($0)" }?.contains("online_probe: found 0 classes") == true,
            "\(error.map { "\($0)" } ?? "none")")
        #expect(throws: RecipeError.self) { try shippedRecipe(Self.micro, ["online_probe.lr=0"]) }
    }
}
