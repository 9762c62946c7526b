import AllocationCounter
import Autodiff
import Batches
import Checkpoints
import Cluster
import Foundation
import Kernels
import Layers
import Models
import Objectives
import Platform
import Recipes
import Testing
import Training

/// A network that learns with a guide beside it.
@Suite struct GuidanceTests {
    private static let digits = "\(package)/Datasets/digits/digits.safetensors"
    private static let vit =
        "{kind: vit, embed_dim: 24, depth: 2, num_heads: 2, patch_size: 4, drop_path_rate: 0.1, use_abs_pos_emb: true, "
        + "use_rel_pos_bias: false, use_shared_rel_pos_bias: false}"
    private static let resnet =
        "{kind: resnet, block: basic, layers: [1], channels: [8], stem: small, stem_width: 8, drop_path_rate: 0.1}"

    private static func tokenViT(_ input: String, patch: Int) -> String {
        "{kind: token_vit, embed_dim: 24, depth: 2, num_heads: 2, patch_size: \(patch), input: \(input), drop_path_rate: 0, dropout: 0}"
    }

    private static func guidance(_ arch: String, _ rest: String) -> String {
        "guidance={guide_arch: \(arch), guide_seed: 3, \(rest)}"
    }

    /// Recipes of every kind, each with a guide of another kind.
    static let combinations: [(recipe: String, changes: [String], pairs: Int)] = [
        ("crate_mae-micro-by_vit-procedural", [], 6),
        ("spark-plain_cnn-by_resnet-fashion_mnist-32px", [], 3),
        (
            "simmim-vit_micro-procedural",
            [
                guidance(
                    "{kind: swin, embed_dim: 16, depths: [1, 1], num_heads: [1, 2], patch_size: 4, window_size: 4, drop_path_rate: 0, "
                        + "use_abs_pos_emb: false}", "alpha: 0.5, reduction: mean, preset: simmim_swin")
            ], 2
        ),
        (
            "simmim-vit_micro-digits",
            [guidance(resnet, "alpha: 1, reduction: sum, taps_target: [blocks], taps_guide: [stages], form: pooled")], 1
        ),
        (
            "finetune-vit_micro-digits",
            [
                guidance(
                    vit, "alpha: 1, reduction: sum, taps_target: [reference], taps_guide: [reference], form: flatten")
            ],
            5
        ),
        (
            "finetune-vit_micro-digits",
            [
                guidance(
                    vit,
                    "alpha: 1, reduction: mean, taps_target: [blocks], taps_guide: [blocks.1, blocks.0], form: "
                        + "tokenwise, guide_input: noise")
            ], 2
        ),
        (
            "guided-plain_cnn-by_trained_resnet-fashion_mnist-5ep",
            [
                "guidance.guide_bn=batch", "guidance.taps_guide=[layer1.0.conv1, layer2.0, layer3]",
                "guidance.taps_target=[layer1.7.conv2]", "guidance.pair_collisions=sum", "guidance.scope=local",
            ], 3
        ),
        ("mtm-token_vit_micro-by_token_vit-digits", [], 3),
        (
            "finetune-token_vit_micro-digits",
            [guidance(tokenViT("ids", patch: 1), "alpha: 1, reduction: mean, preset: seit_vit")], 2
        ),
        (
            "seit-token_vit_micro-fashion_mnist-20ep",
            [
                guidance(
                    tokenViT("vectors", patch: 2),
                    "alpha: 1, reduction: mean, taps_target: [blocks], taps_guide: [blocks], form: pooled")
            ], 2
        ),
        (
            "finetune-vit_micro-digits",
            [
                guidance(
                    vit,
                    "alpha: 1, reduction: sum, taps_target: [blocks.3, blocks.0, blocks.3], "
                        + "taps_guide: [blocks.0, blocks.1, blocks.1], form: samples")
            ], 3
        ),
    ]

    /// Twice two steps of a trainer; the second time nothing is new to it.
    private func allocationsOfSteps(_ trainer: Trainer) throws -> Int {
        for _ in 0..<2 { _ = try trainer.step() }
        let before = allocations_of_this_thread()
        for _ in 0..<2 { _ = try trainer.step() }
        return Int(allocations_of_this_thread() - before)
    }

    /// Grids of tokens are cut and hidden on the compute thread, which makes small arrays: a guide adds none.
    @Test(arguments: combinations.indices) func `any recipe trains with a guide, which allocates nothing`(
        _ index: Int
    ) throws {
        let (name, changes, pairs) = Self.combinations[index]
        let recipe = "Recipes/\(name).yaml"
        let trainer = try bench(recipe, batch: 8, changes + ["guidance.cka_batch=4"]).trainer
        let allocations = try allocationsOfSteps(trainer)
        let allowed =
            trainer.recipe.tokens == nil
            ? 0 : try allocationsOfSteps(bench(recipe, batch: 8, changes + ["guidance=null"]).trainer)
        #expect(allocations == allowed)
        let measures = try trainer.takeMeasures()
        let values = Dictionary(uniqueKeysWithValues: measures.map { ($0.name, $0.value) })
        let similar = measures.filter { $0.name.hasPrefix("cka/") }
        #expect(similar.count == pairs, "\(measures.map(\.name))")
        #expect(similar.allSatisfy { $0.value > 0 && $0.value <= 1.000_01 }, "\(similar)")
        #expect(values["guidance_undefined"] == 0)
        let sum = similar.reduce(0) { $0 + 1 - $1.value }
        let isMean = trainer.recipe.guidance?.reduction == .mean
        if trainer.recipe.guidance?.comparison != .tokenwise {
            #expect(abs((values["guidance"] ?? 0) - (isMean ? sum / Double(pairs) : sum)) < 1e-9)
        }
    }

    @Test(arguments: combinations.indices) func `the cost of a guide is measured for any recipe`(_ index: Int) throws {
        let (name, changes, _) = Self.combinations[index]
        let recipe = try shippedRecipe(
            "Recipes/\(name).yaml", changes + ["batch.global=8", "batch.grad_accum_steps=1", "guidance.cka_batch=4"])
        let cost = try #require(try GuidanceCost(recipe, samples: 8, ranks: 1, pool: WorkerPool(threads: 1)))
        #expect(cost.guideSeconds > 0 && cost.comparisonSeconds > 0)
    }

    @Test func `a guide moves the target and lowers the distance`() throws {
        let guided = try bench("Recipes/finetune-vit_micro-digits.yaml", batch: 32, Self.combinations[4].changes)
            .trainer
        func distance() throws -> Double {
            try guided.takeMeasures().first { $0.name == "guidance" }?.value ?? .nan
        }
        _ = try guided.step()
        let first = try distance()
        for _ in 0..<30 { _ = try guided.step() }
        #expect(try distance() < first)
        #expect(guided.marks["guide/hash"]?.isEmpty == false)
        #expect(!guided.store.names.contains { $0.contains("guide") })
        let alone = try bench("Recipes/finetune-vit_micro-digits.yaml", batch: 32).trainer
        #expect(alone.store.values.count == guided.store.values.count)
    }

    /// Names inside both networks are the same, and so are the start values that a seed gives them.
    @Test func `a guide of tokens that is the target itself has nothing to teach it`() throws {
        let recipe = "Recipes/mtm-token_vit_micro-by_token_vit-digits.yaml"
        func distance(_ seed: Int) throws -> Double {
            let trainer = try bench(
                recipe, batch: 8,
                [
                    "guidance.guide_arch.embed_dim=64", "guidance.guide_arch.num_heads=4", "guidance.cka_batch=8",
                    "guidance.guide_seed=\(seed)", "model.dropout=0",
                ]
            ).trainer
            _ = try trainer.step()
            return try trainer.takeMeasures().first { $0.name == "guidance" }?.value ?? .nan
        }
        #expect(abs(try distance(0)) < 1e-5)
        #expect(try distance(1) > 1e-3)
    }

    @Test func `after its last update a guide is gone and the loss is the method's alone`() throws {
        func trainer(_ extra: [String]) throws -> Trainer {
            try bench("Recipes/finetune-vit_micro-digits.yaml", batch: 16, Self.combinations[4].changes + extra).trainer
        }
        let stopped = try trainer(["guidance.stop_step=2"])
        let guided = stopped.plan.report.arenaBytes
        for _ in 0..<3 { _ = try stopped.step() }
        #expect(try !stopped.takeMeasures().contains { $0.name == "guidance" })
        #expect(stopped.plan.report.arenaBytes < guided)
        let going = try trainer([])
        for _ in 0..<3 { _ = try going.step() }
        #expect(stopped.store.values.array != going.store.values.array)
        let cosine = try trainer(["guidance.alpha_schedule=cosine", "guidance.stop_step=4"])
        for _ in 0..<5 { #expect(try cosine.step().loss.isFinite) }
    }

    /// Counted over both networks, the steps with a guide were over before the second network's turn.
    @Test func `each network of ELR+ has its guide for updates of its own`() throws {
        let recipe = try shippedRecipe(
            "Recipes/elr-fcn2x256-digits-sym40-150ep.yaml",
            [
                "batch.global=8", "clip.max_norm=0.001",
                "objective.elr.plus={mixup_alpha: 1, ema_alpha: 0.9, mixup_slice: 4}",
                Self.guidance(
                    "{kind: fcn, depth: 2, embed_dim: 16, init: uniform, channels: 1}",
                    "alpha: 1000000, reduction: sum, taps_target: [layers.0, layers.1], "
                        + "taps_guide: [layers.0, layers.1], form: flatten, cka_batch: 8, stop_step: 2"),
            ])
        let batch = Batch(synthetic: BatchShape(size: 8, height: 8, width: 8, targetClasses: 10), seed: 0)
        let trainer = try Trainer(
            Experiment(recipe, samples: 8, classes: 10, training: 0), feed: RepeatedBatch(batch), updatesPerEpoch: 3,
            communicator: SingleProcess(), pool: WorkerPool(threads: 1))
        // With this alpha a guide shows in the norm of the gradient.
        var isGuided: [Bool] = []
        for step in 0..<8 {
            isGuided.append(try trainer.step().gradientNorm > 1000)
            #expect(try trainer.takeMeasures().contains { $0.name == "guidance" } == (step < 5))
        }
        #expect(isGuided == [true, true, false, true, true, false, false, false])
        #expect(trainer.clock.updates == 8, "a step was skipped")
    }

    @Test func `a plan can take the statistics of its batch and leave nothing out`() throws {
        let graph = Graph()
        let x = graph.input("x", [2, 4])
        let y = Dropout(0.5)(x)
        let pool = WorkerPool(threads: 1)
        let store = ParameterStore(graph, minimising: nil, seed: 0, pool: pool)
        func values(dropsOut: Bool) throws -> [Float] {
            var options = PlanOptions()
            (options.usesBatchStatistics, options.dropsOut) = (true, dropsOut)
            let plan = try Plan(graph, minimising: nil, keeping: [y], store: store, pool: pool, options: options)
            plan.set(x, Floats([Float](repeating: 1, count: 8)))
            plan.forward()
            return plan.value(of: y).array
        }
        #expect(try values(dropsOut: false).allSatisfy { $0 == 1 })
        #expect(try values(dropsOut: true).allSatisfy { $0 != 1 })
    }

    @Test(arguments: [
        (
            "taps_target: [blocks], taps_guide: [blocks], form: pooled, guide_bn: batch",
            "guidance.guide_bn: eval expected, found batch; the guide has no batch norm"
        ),
        (
            "taps_target: [blocks.3, blocks.3], taps_guide: [blocks.1, blocks.1], form: pooled",
            "found blocks.3/blocks.1 twice"
        ),
    ])
    func `what a guide cannot do is refused`(_ settings: String, message: String) {
        let error = #expect(throws: RecipeError.self) {
            try shippedRecipe(
                "Recipes/finetune-vit_micro-digits.yaml",
                [Self.guidance(Self.vit, "alpha: 1, reduction: sum, " + settings)])
        }
        let found = error?.issues.map(\.description) ?? []
        #expect(found.count == 1 && found[0].contains(message), "\(found)")
    }

    @Test(arguments: [1, 2, 3]) func `any number of threads gives the same bits`(threads: Int) throws {
        func weights(_ threads: Int) throws -> [Float] {
            let bench = try bench(
                "Recipes/finetune-vit_micro-digits.yaml", batch: 16, threads: threads, Self.combinations[4].changes)
            for _ in 0..<3 { try bench.step() }
            return bench.trainer.store.values.array
        }
        #expect(try weights(threads) == weights(1))
    }

    @Test func `a guided run resumes bit for bit, and with the same guide only`() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("lacuna-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        func train(_ name: String, updates: Int, _ extra: [String] = [], resumes: Bool = false) throws -> Checkpoint {
            var options = TrainingRun.Options(folder: "\(folder)/\(name)")
            options.resumes = resumes
            options.allowedChanges = ["schedule", "guidance.guide_seed"]
            let recipe = try shippedRecipe(
                "Recipes/simmim-vit_micro-digits.yaml",
                [
                    "data.train.path=\(Self.digits)", "model.depth=2", "schedule.kind=constant",
                    "schedule.base_lr=1e-3",
                    "schedule.min_lr=null", "schedule.epochs=null", "schedule.warmup_epochs=null",
                    "schedule.warmup_lr=null",
                    "schedule.updates=\(updates)", "log.every_updates=1", "checkpoint.every_epochs=null",
                    "checkpoint.every_updates=4", "batch.global=20",
                    Self.guidance(
                        Self.vit,
                        "alpha: 1, reduction: sum, taps_target: [blocks], taps_guide: [blocks], form: samples, "
                            + "stop_step: 6"),
                ] + extra)
            _ = try TrainingRun(
                recipe, options, communicator: SingleProcess(), pool: WorkerPool(threads: 1),
                stop: .handlingSignals(), speaker: Listener()
            ).run()
            return try CheckpointPlace("\(folder)/\(name)").newestValid()
        }
        let whole = try train("whole", updates: 8)
        _ = try train("cut", updates: 4)
        #expect(throws: SharedError.self) {
            try train("cut", updates: 8, ["guidance.guide_seed=4"], resumes: true)
        }
        let resumed = try train("cut", updates: 8, resumes: true)
        for part in [CheckpointPart.model, .optimizer] {
            let (left, right) = (try whole.open(part), try resumed.open(part))
            #expect(left.names == right.names && left.names.allSatisfy { !$0.contains("guide") })
            for (a, b) in zip(left.tensors, right.tensors) { #expect(a.bytes.array == b.bytes.array, "\(a.name)") }
        }
        func metrics(_ name: String) throws -> [[String: Double]] {
            try String(contentsOfFile: "\(folder)/\(name)/metrics.jsonl", encoding: .utf8).split(separator: "\n").map {
                let line = try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Double] ?? [:]
                return line.filter { !StepRecord.timingKeys.contains($0.key) }
            }
        }
        let lines = try metrics("whole")
        #expect(try metrics("cut") == lines)
        #expect(lines[5]["guidance"] != nil && lines[6]["guidance"] == nil)
    }

    @Test func `a trained guide has the weights of its run`() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("lacuna-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let model = ["model.embed_dim=24", "model.depth=2", "model.num_heads=2"]
        let data = ["data.train.path=\(Self.digits)", "data.evaluation.path=\(Self.digits)"]
        let short = [
            "schedule.epochs=null", "schedule.warmup_epochs=null", "schedule.warmup_lr=null", "batch.global=20",
        ]
        let recipe = try shippedRecipe(
            "Recipes/simmim-vit_micro-digits.yaml",
            [
                "data.train.path=\(Self.digits)", "schedule.updates=2", "checkpoint.every_epochs=null",
                "checkpoint.every_updates=2",
            ] + model + short)
        _ = try TrainingRun(
            recipe, TrainingRun.Options(folder: folder + "/guide"), communicator: SingleProcess(),
            pool: WorkerPool(threads: 1), stop: .handlingSignals(), speaker: Listener()
        ).run()
        let arch = try #require(recipe.text(showingOrigins: false).split(separator: "model:\n").last)
        let lines = arch.split(separator: "\n").prefix { $0.hasPrefix("  ") }.map { $0.dropFirst(2) }
        func start(_ arch: String) throws -> [String] {
            let speaker = Listener()
            let guided = try shippedRecipe(
                "Recipes/finetune-vit_micro-digits.yaml",
                data + short + [
                    "schedule.updates=1", "evaluation=null",
                    "guidance={guide_arch: {\(arch)}, guide_checkpoint: \(folder)/guide, alpha: 1, reduction: sum, "
                        + "taps_target: [blocks], taps_guide: [blocks], form: pooled}",
                ])
            _ = try TrainingRun(
                guided, TrainingRun.Options(folder: "\(folder)/run-\(UUID().uuidString)"),
                communicator: SingleProcess(), pool: WorkerPool(threads: 1), stop: .handlingSignals(), speaker: speaker
            ).run()
            return speaker.lines
        }
        let said = try start(lines.joined(separator: ", "))
        #expect(said.contains { $0.hasPrefix("guide: ") && $0.contains("tensors taken") }, "\(said)")
        #expect(said.contains { $0.contains("20 samples are compared") }, "\(said)")
        let other = lines.joined(separator: ", ").replacingOccurrences(of: "num_heads: 2", with: "num_heads: 3")
        let error = #expect(throws: (any Error).self) { try start(other) }
        #expect("\(error.map { "\($0)" } ?? "")".contains("guidance.guide_arch.num_heads 2, here 3"))
    }

    @Test func `a plan counts the guide and what is compared`() throws {
        let recipe = try shippedRecipe("Recipes/guided-plain_cnn-by_untrained_resnet-fashion_mnist-5ep.yaml")
        let (one, two) = (try PlanSummary(recipe, ranks: 1), try PlanSummary(recipe, ranks: 2))
        let guidance = try #require(one.hooks.guidance)
        #expect(guidance.pairs.count == 24 && guidance.exchangedBytes == 0)
        #expect(guidance.guide.flops > 0 && guidance.planFlops > 0)
        #expect(try #require(two.hooks.guidance).exchangedBytes > 0)
        let alone = try PlanSummary(
            shippedRecipe("Recipes/supervised-plain_cnn-fashion_mnist-5ep.yaml"), ranks: 1)
        #expect(one.report.flops - guidance.planFlops == alone.report.flops)
        #expect(one.memoryBytes > alone.memoryBytes + guidance.guide.parameterBytes)
    }
}
