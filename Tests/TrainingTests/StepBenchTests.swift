import AllocationCounter
import Autodiff
import Cluster
import Kernels
import Recipes
import Testing
import Training

@Suite struct StepBenchTests {
    private static let micro = "Recipes/simmim-vit_micro-digits.yaml"

    /// RELIABILITY C4. Recipes above 30 million parameters take the machine too long.
    @Test(arguments: shipped) func `a shipped recipe trains two steps on synthetic data`(path: String) throws {
        guard try PlanSummary(shippedRecipe(path), ranks: 1).report.parameterCount < 30_000_000 else { return }
        // Two samples are no slice of ELR+'s mixup; the penalty of ELR is negative.
        let recipe = try shippedRecipe(path).resolved
        let bench = try bench(path, batch: recipe.value(at: "objective.elr.plus") == nil ? 2 : 32, threads: 2)
        for _ in 0..<2 { try bench.step() }
        let result = try bench.result()
        #expect(result.loss.isFinite && (result.loss > 0 || recipe.value(at: "objective.elr") != nil))
        #expect(bench.trainer.clock.updates == 2, "a step was skipped")
        #expect(result.imagesPerSecond > 0 && result.peakBytes > 0)
    }

    @Test(arguments: [1, 2]) func `a training step allocates nothing after the first two`(threads: Int) throws {
        let extra = ["model.drop_path_rate=0.1", "ema.decay=0.99", "online_probe.lr=0.01"]
        for overrides in [[], extra] {
            let bench = try bench(Self.micro, batch: 4, threads: threads, overrides)
            for _ in 0..<2 { _ = try bench.trainer.step() }
            let before = allocations_of_this_thread()
            for _ in 0..<3 { _ = try bench.trainer.step() }
            let after = allocations_of_this_thread()
            #expect(before > 0, "the counter is not linked in")
            #expect(after - before == 0, "\(after - before) allocations in 3 steps with \(overrides)")
        }
    }

    private static let swin =
        "model={kind: swin, preset: null, init_values: null, use_rel_pos_bias: null, "
        + "use_shared_rel_pos_bias: null, embed_dim: 16, depths: [1, 2], num_heads: [1, 2], patch_size: 4, window_size: 4, drop_path_rate: 0.1, "
        + "use_abs_pos_emb: false}"

    /// Drop path, dropout and a guide's taps among them.
    @Test(arguments: [
        (micro, ["model.drop_path_rate=0.1"]),
        ("Recipes/simmim-vit_micro-procedural.yaml", [swin, "objective.mask_patch_size=8"]),
        ("Recipes/crate_mae-micro-procedural.yaml", []),
        ("Recipes/crate_mae-micro-by_vit-procedural.yaml", ["guidance.cka_batch=8"]),
        ("Recipes/mtm-token_vit_micro-digits.yaml", []),
        ("Recipes/finetune-token_vit_micro-digits.yaml", []),
        ("Recipes/tokenizer-vq_vit_micro-digits.yaml", []),
    ])
    func `computing blocks again takes less memory and changes no bit of the weights`(
        path: String, overrides: [String]
    ) throws {
        let kept = try bench(path, batch: 8, overrides)
        let computedAgain = try bench(path, batch: 8, overrides + ["recompute=true"])
        for _ in 0..<3 {
            try kept.step()
            try computedAgain.step()
        }
        #expect(try kept.result().loss == computedAgain.result().loss)
        #expect(kept.trainer.store.values.array == computedAgain.trainer.store.values.array)
        let (all, few) = (kept.trainer.plan.report, computedAgain.trainer.plan.report)
        print("\(path): \(all.arenaBytes) bytes of values, \(few.arenaBytes) when computed again")
        #expect(few.arenaBytes < all.arenaBytes)
        // Blocks hold most of the work; nothing is computed more than twice.
        #expect(Double(few.recomputedFlops) > 0.15 * Double(all.flops) && 3 * few.recomputedFlops <= all.flops)
        #expect(all.recomputedFlops == 0)
    }

    @Test func `a network whose blocks cannot run twice is refused`() {
        #expect(throws: RecipeError.self) {
            try shippedRecipe("Recipes/spark-small16-procedural.yaml", ["recompute=true"])
        }
    }

    @Test func `micro-batches are added without allocating`() throws {
        let recipe = try shippedRecipe(Self.micro, ["batch.global=8", "batch.grad_accum_steps=2"])
        let bench = try StepBench(recipe, communicator: SingleProcess(), pool: WorkerPool(threads: 1))
        for _ in 0..<2 { _ = try bench.trainer.step() }
        let before = allocations_of_this_thread()
        _ = try bench.trainer.step()
        #expect(allocations_of_this_thread() == before)
    }

    @Test func `the synthetic batch hides what the recipe hides, and repeats bit for bit`() throws {
        let losses = try (0..<2).map { _ in
            let bench = try bench(Self.micro, batch: 4)
            try bench.step()
            return try bench.result().loss
        }
        #expect(losses[0] == losses[1])
        // Uniform pixels of deviation 1 against a start near 0: the mean of |x| is sqrt(3) / 2.
        #expect(abs(losses[0] - 0.87) < 0.2)
    }

    @Test func `shares of operations and of the rest add up to the step`() throws {
        var options = PlanOptions()
        options.measuresTime = true
        let recipe = try shippedRecipe(Self.micro, ["batch.global=8"])
        let bench = try StepBench(
            recipe, communicator: SingleProcess(), pool: WorkerPool(threads: 1), options: options)
        try bench.step(counts: false)
        let before = bench.trainer.plan.timings
        for _ in 0..<3 { try bench.step() }
        let shares = OperationShares(
            before: before, after: bench.trainer.plan.timings, steps: 3, secondsPerStep: bench.meanSecondsPerStep,
            rest: [])
        let whole = shares.rows.map(\.share).reduce(0, +)
        #expect(abs(whole - 1) < 1e-6)
        let linear = try #require(shares.rows.first { $0.kind == "Linear" })
        #expect(linear.flopsPerSecond > 0 && linear.forward > 0 && linear.backward > 0)
    }

    @Test(arguments: [
        (micro, ["grad_noise.eta=0.01", "online_probe.lr=0.01"], ["gradient noise", "online probe"]),
        ("Recipes/elr-fcn2x256-digits-sym40-150ep.yaml", [], ["early-learning targets"]),
        ("Recipes/tokenizer-vq_vit_micro-digits.yaml", [], ["codebook"]),
        ("Recipes/crate_mae-micro-by_vit-procedural.yaml", ["guidance.cka_batch=32"], ["guide"]),
    ])
    func `what a recipe adds beside the operations has a time of its own`(
        path: String, overrides: [String], names: [String]
    ) throws {
        let bench = try bench(path, batch: 32, overrides)
        try bench.step()
        let times = try bench.timesBesideOperations()
        #expect(times.map(\.name) == ["scale and clip", "update rule", "exchange, waiting"] + names)
        #expect(times.filter { names.contains($0.name) }.allSatisfy { $0.seconds > 0 && $0.seconds.isFinite })
    }

    @Test func `a batch that does not divide is refused`() throws {
        #expect(throws: TrainingError.batch(global: 100, ranks: 3, accumulation: 1)) {
            try PlanSummary(shippedRecipe(Self.micro), ranks: 3)
        }
    }
}
