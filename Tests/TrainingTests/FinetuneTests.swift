import AllocationCounter
import Autodiff
import Batches
import Checkpoints
import Cluster
import Foundation
import Kernels
import Objectives
import Optimizers
import Platform
import Recipes
import Testing
import Training

/// Fine-tunes of a few updates on the digits, in folders of their own.
@Suite struct FinetuneTests {
    private static let data = "\(package)/Datasets/digits/digits.safetensors"
    private static let pretrain = "Recipes/simmim-vit_micro-digits.yaml"
    private static let finetune = "Recipes/finetune-vit_micro-digits.yaml"
    private static let small = [
        "data.train.path=\(data)", "data.evaluation.path=\(data)", "model.depth=2", "schedule.epochs=null",
        "schedule.updates=6", "schedule.warmup_epochs=null", "schedule.warmup_updates=2", "log.every_updates=1",
        "checkpoint.every_epochs=null", "checkpoint.every_updates=4",
    ]
    private static let scored = [
        "evaluation.every_epochs=null", "evaluation.every_updates=1", "evaluation.batch=50", "ema.decay=0.5",
    ]

    private let folder = Scratch()

    private func train(
        _ recipe: String, _ name: String, _ changes: [String] = [], from start: StartingWeights? = nil,
        resumes: Bool = false
    ) throws -> (run: TrainingRun, outcome: TrainingRun.Outcome, said: [String]) {
        let speaker = Listener()
        var options = TrainingRun.Options(folder: "\(folder.path)/\(name)")
        options.start = start
        options.resumes = resumes
        options.testsAtEnd = true
        let scored = recipe == Self.finetune ? Self.scored : []
        let run = try TrainingRun(
            shippedRecipe(recipe, Self.small + scored + changes), options, communicator: SingleProcess(),
            pool: WorkerPool(threads: 1), stop: .handlingSignals(), speaker: speaker)
        return (run, try run.run(), speaker.lines)
    }

    private func checkpoint(_ name: String, step: Int) throws -> Checkpoint {
        try CheckpointStore("\(folder.path)/\(name)/checkpoints").checkpoint(ofStep: step)
    }

    @Test func `the encoder of a pretraining run is taken, and what is new or left is told`() throws {
        _ = try train(Self.pretrain, "pre")
        let still = ["schedule.base_lr=0", "schedule.warmup_lr=0", "schedule.min_lr=0"]
        let said = try train(Self.finetune, "fine", still, from: StartingWeights("\(folder.path)/pre")).said
        #expect(said.contains { $0.hasSuffix("step-00000006/model.safetensors: 35 tensors taken") })
        #expect(said.contains("  new: fc_norm.bias, fc_norm.weight, head.bias, head.weight"))
        #expect(said.contains("  not used: mask_token, norm.bias, norm.weight"))
        // A rate of zero leaves the encoder as it came.
        let (before, after) = (try checkpoint("pre", step: 6), try checkpoint("fine", step: 6))
        for name in ["patch_embed.proj.weight", "blocks.1.mlp.fc2.bias", "cls_token"] {
            #expect(
                try before.open(.model).tensor("encoder.\(name)").floats == after.open(.model).tensor(name).floats)
        }
        #expect(after.state.extra["start/path"]?.string == "\(folder.path)/pre")
    }

    @Test func `another encoder is refused before anything is trained`() throws {
        _ = try train(Self.pretrain, "pre")
        let start = StartingWeights("\(folder.path)/pre")
        #expect(throws: TrainingError.encoder(start.path, ["model.num_heads 4, here 2"])) {
            try train(Self.finetune, "fine", ["model.num_heads=2"], from: start)
        }
        // The same as a bare file tells no heads, but it has a block too many.
        let file = try checkpoint("pre", step: 6).path + "/model.safetensors"
        let error = #expect(throws: TrainingError.self) {
            try train(Self.finetune, "fine", ["model.depth=1"], from: StartingWeights(file))
        }
        guard case .weights(let report)? = error else { throw NoSuchFile() }
        #expect(report.unexpected.count == 15 && report.missing.isEmpty && report.keys.misshaped.isEmpty)
        var partial = StartingWeights(file)
        partial.allowsPartial = true
        #expect(try train(Self.finetune, "fine", ["model.depth=1"], from: partial).outcome == .finished)
    }

    @Test func `a head for other classes is refused, or started anew if asked`() throws {
        _ = try train(Self.finetune, "ten")
        let ten = try checkpoint("ten", step: 6).open(.model)
        let tensors = ten.tensors.filter { $0.kind == .f32 }.map { tensor in
            guard tensor.name.hasPrefix("head.") else { return tensor }
            let count = tensor.count / 10 * 3
            return StoredTensor(
                name: tensor.name, kind: .f32, shape: [3] + tensor.shape.dropFirst(), bytes: tensor.bytes[0..<4 * count]
            )
        }
        let path = folder.path + "/three.safetensors"
        try Safetensors.write(tensors, to: path)
        var start = StartingWeights(path)
        #expect(throws: TrainingError.classes(path, stored: 3, data: 10)) {
            try train(Self.finetune, "again", from: start)
        }
        start.hasNewHead = true
        let said = try train(Self.finetune, "again", from: start).said
        #expect(said.contains("  new: head.bias, head.weight") && said.contains("  not used: head.bias, head.weight"))
        // With its ten classes the head is taken.
        let taken = try train(Self.finetune, "third", from: StartingWeights("\(folder.path)/ten")).said
        #expect(!taken.contains { $0.hasPrefix("  new") })
    }

    @Test func `a finished run tells its best step again from what is on disk`() throws {
        let changes = ["schedule.base_lr=0.05", "checkpoint.keep_last=1"]
        // A run holds its folder until it is gone.
        let results = try train(Self.finetune, "run", changes).run.results
        #expect(results.map(\.kind) == [.last, .ema, .best])
        #expect(results.allSatisfy { $0.scores.images == 397 })
        let state = try checkpoint("run", step: 6).state.extra
        let best = try #require(state["best/step"]?.integer)
        #expect(results[2].step == best && results[2].scores.top1 == state["best/value"]?.number)
        #expect(try CheckpointStore("\(folder.path)/run/checkpoints").steps() == (best == 6 ? [6] : [best, 6]))
        let again = try train(Self.finetune, "run", changes, resumes: true)
        #expect(again.outcome == .wasFinished && again.run.results == results)
    }

    @Test func `a validation part is not learned from and chooses the best step`() throws {
        let changes = ["data.validation={per_class: 10}", "data.subset={shots: 20, seed: 3}"]
        let run = try train(Self.finetune, "run", changes + ["batch.global=300"]).run
        #expect(run.sets.train.count == 200 && run.sets.validation?.count == 100 && run.sets.test?.count == 397)
        let (train, validation) = (run.sets.train as? Subset, run.sets.validation as? Subset)
        #expect(Set(try #require(train).samples).isDisjoint(with: try #require(validation).samples))
        // A batch is larger than the set: it holds samples several times, and an epoch is one batch.
        #expect(try checkpoint("run", step: 6).state.epoch == 6)
        let other = try TrainingSets(
            shippedRecipe(Self.finetune, Self.small + ["data.subset={shots: 20, seed: 4}"]))
        #expect(other.train.fingerprint != run.sets.train.fingerprint)
    }

    @Test func `layer decay scales the rate of each layer and leaves warm-up start and minimum alone`() throws {
        let trainer = try bench(Self.finetune, batch: 4, ["optimizer.layer_decay=0.5", "model.depth=2"]).trainer
        let scales = trainer.groups.groups.map { "\($0.scale) \($0.decays)" }
        // As the parameters are declared: tokens and patches, two blocks, the norm and the head.
        let expected = ["0.125", "0.25", "0.5", "1.0"].flatMap { ["\($0) false", "\($0) true"] }
        #expect(scales == expected)
        let schedule = try trainer.recipe.learningRates(EpochClock(updates: 14), Catalog.own.schedules)
        #expect(abs(schedule.learningRate(at: 0, scale: 0.125) - 1e-6 * 4 / 512) < 1e-18)
        let middle = [0.125, 1].map { schedule.learningRate(at: 80, scale: $0) }
        #expect(abs(middle[0] / middle[1] - 0.125) < 1e-3)
    }

    @Test func `a step of fine-tuning allocates nothing after the first two`() throws {
        let trainer = try bench(Self.finetune, batch: 4, ["objective.loss=binary"]).trainer
        for _ in 0..<2 { _ = try trainer.step() }
        let before = allocations_of_this_thread()
        for _ in 0..<3 { _ = try trainer.step() }
        #expect(allocations_of_this_thread() == before)
    }

    @Test(arguments: ["mae", "deit"])
    func `the cosine has other forms`(form: String) throws {
        let recipe = try shippedRecipe(
            Self.finetune,
            [
                "schedule.form=\(form)", "schedule.epochs=20", "schedule.warmup_epochs=2", "schedule.warmup_lr=0",
                "batch.global=512",
            ])
        let (base, schedule) = (0.01, try recipe.learningRates(EpochClock(updates: 10), Catalog.own.schedules))
        func rate(_ step: Int) -> Double { schedule.learningRate(at: step) }
        #expect(rate(0) == 0)
        switch form {
        case "mae":
            #expect(abs(rate(10) - 0.005) < 1e-12 && rate(20) == base)
            #expect(abs(rate(110) - (1e-6 + base) / 2) < 1e-12)
        default:
            #expect(rate(19) == 0 && abs(rate(20) - 0.005) < 1e-12)
            #expect(abs(rate(110) - (1e-6 + base) / 2) < 1e-12 && rate(110) == rate(119))
        }
    }
}

/// Remembers what was said.
final class Listener: RunSpeaker {
    private(set) var lines: [String] = []
    func say(_ line: String) { lines.append(line) }
    func warn(_ line: String) { lines.append("warning: " + line) }
    func warnFromAnyRank(_ line: String) { lines.append("warning: " + line) }
    func show(_ line: String) {}
}

/// A folder for one test, removed with it.
private final class Scratch {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("lacuna-\(UUID().uuidString)").path
    deinit { try? FileManager.default.removeItem(atPath: path) }
}
