import Autodiff
import Cluster
import Kernels
import Recipes
import Testing
import Training

@Suite struct PlanSummaryTests {
    /// RELIABILITY C4: also without the data, and also where the plan is larger than this machine.
    @Test(arguments: shipped) func `a shipped recipe plans`(path: String) throws {
        let summary = try PlanSummary(shippedRecipe(path), ranks: 1)
        #expect(summary.report.parameterCount > 0 && summary.flopsPerImage > 0)
        #expect(summary.report.rows.reduce(0) { $0 + $1.flops + $1.backwardFlops } == summary.report.flops)
        #expect(summary.report.arenaBytes < summary.report.unsharedBytes)
        #expect(summary.report.bucketBytes.reduce(0, +) == summary.report.gradientBytes)
        #expect((summary.length == nil) == (summary.dataProblem != nil))
    }

    @Test func `the report is the one of the plan that is built`() throws {
        let recipe = try shippedRecipe("Recipes/simmim-vit_micro-digits.yaml", ["batch.global=4"])
        let summary = try PlanSummary(recipe, ranks: 1)
        let trainer = try StepBench(recipe, communicator: SingleProcess(), pool: WorkerPool(threads: 1)).trainer
        let report = trainer.plan.report
        #expect(summary.report.arenaBytes == report.arenaBytes)
        #expect(summary.report.bucketBytes == report.bucketBytes)
        #expect(summary.report.flops == report.flops)
        #expect(summary.report.gradientBytes == 4 * trainer.store.gradients.count)
        #expect(summary.report.parameterBytes == 4 * trainer.store.values.count)
        #expect(summary.stateBytes == trainer.groups.state.reduce(0) { $0 + 4 * $1.count })
    }

    @Test func `ranks share the batch and exchange the gradient`() throws {
        let recipe = try shippedRecipe("Recipes/simmim-vit_base-imagenet_1k-800ep.yaml")
        let (one, many) = (try PlanSummary(recipe, ranks: 1), try PlanSummary(recipe, ranks: 32))
        #expect(one.samples == 2048 && many.samples == 64)
        #expect(one.exchangedBytes == 0 && many.exchangedBytes == many.report.gradientBytes)
        #expect(one.flopsPerImage == many.flopsPerImage)
        #expect(many.memoryBytes < one.memoryBytes / 8)
    }

    @Test func `procedural data gives the length of the run`() throws {
        let length = try PlanSummary(shippedRecipe("Recipes/simmim-vit_micro-procedural.yaml"), ranks: 2).length
        #expect(length?.updatesPerEpoch == 78 && length?.updates == 390)
    }
}
