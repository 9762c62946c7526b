import AllocationCounter
import Checkpoints
import Cluster
import Foundation
import Kernels
import Objectives
import Platform
import Recipes
import Testing
import Training

/// SparK through the verbs' own path: pretraining, fine-tuning, and what batch norm adds to both.
@Suite struct SparKTrainingTests {
    private static let pretrain = "Recipes/spark-small16-procedural.yaml"
    private static let convnet = "Recipes/spark-convnet-procedural.yaml"
    private static let finetune = "Recipes/finetune-small16-fashion_mnist-1pct.yaml"
    private static let small = [
        "images.size=32", "batch.global=8", "schedule.epochs=null", "schedule.updates=6",
        "schedule.warmup_epochs=null", "schedule.warmup_updates=2", "checkpoint.every_epochs=null",
        "checkpoint.every_updates=3", "checkpoint.keep_last=3", "log.every_updates=1",
    ]
    private static func data(_ part: String, first: Int, count: Int) -> String {
        "data.\(part)={kind: procedural, seed: 3, count: \(count), size: 32, first: \(first)}"
    }
    private static func changes(_ recipe: String) -> [String] {
        let sets = [data("train", first: 0, count: 40), data("evaluation", first: 40, count: 10)]
        if recipe != finetune { return small + sets }
        let bare = sets.map { $0.replacingOccurrences(of: "procedural,", with: "procedural, path: null, split: null,") }
        return small + bare + [
            "data.subset=null", "evaluation.every_epochs=null", "evaluation.every_updates=6", "ema.decay=0.5",
        ]
    }

    private let folder = Scratch()

    @discardableResult private func train(
        _ recipe: String, _ name: String, _ changes: [String] = [], from start: StartingWeights? = nil,
        resumes: Bool = false
    ) throws -> [String] {
        let speaker = Listener()
        var options = TrainingRun.Options(folder: "\(folder.path)/\(name)")
        options.start = start
        options.resumes = resumes
        _ = try TrainingRun(
            shippedRecipe(recipe, Self.changes(recipe) + changes), options, communicator: SingleProcess(),
            pool: WorkerPool(threads: 2), stop: .handlingSignals(), speaker: speaker
        ).run()
        return speaker.lines
    }

    private func checkpoint(_ name: String, step: Int = 6) throws -> Checkpoint {
        try CheckpointStore("\(folder.path)/\(name)/checkpoints").checkpoint(ofStep: step)
    }

    @Test(arguments: [pretrain, convnet, finetune])
    func `a resumed run has the bytes of an undisturbed one, running statistics and average included`(
        recipe: String
    ) throws {
        try train(recipe, "whole")
        try train(recipe, "cut")
        try FileManager.default.removeItem(atPath: checkpoint("cut").path)
        try train(recipe, "cut", resumes: true)
        let (whole, cut) = (try checkpoint("whole"), try checkpoint("cut"))
        let parts: [CheckpointPart] = [.model, .optimizer] + (recipe == Self.finetune ? [.average] : [])
        for part in parts {
            let (expected, found) = (try whole.open(part), try cut.open(part))
            #expect(expected.names == found.names)
            for name in expected.names {
                #expect(try expected.tensor(name).bytes.array == found.tensor(name).bytes.array, "\(name)")
            }
        }
        let earlier = try checkpoint("whole", step: 3).open(.model)
        let name = try #require(earlier.names.first { $0.hasSuffix("running_var") })
        #expect(try earlier.tensor(name).floats != cut.open(.model).tensor(name).floats)
    }

    @Test func `an average holds running statistics and begins with the weights that were loaded`() throws {
        try train(Self.pretrain, "pre")
        let still = ["schedule.base_lr=0", "schedule.warmup_lr=0", "schedule.min_lr=0"]
        let said = try train(Self.finetune, "fine", still, from: StartingWeights("\(folder.path)/pre"))
        #expect(said.contains("  new: fc.bias, fc.weight"))
        let before = try checkpoint("pre").open(.model)
        let (model, average) = try (checkpoint("fine").open(.model), checkpoint("fine").open(.average))
        #expect(average.names == model.names.map { "ema/" + $0 })
        let name = "layer1.0.conv1.weight"
        let start = try before.tensor("sparse_encoder.sp_cnn." + name).floats
        // A rate of zero leaves weights, and what averages them, as they came.
        #expect(try model.tensor(name).floats == start && average.tensor("ema/" + name).floats == start)
        let mean = "layer1.0.bn1.running_mean"
        let means = try [model.tensor(mean), average.tensor("ema/" + mean)].map(\.floats)
        #expect(try means[0] != means[1] && means.allSatisfy { $0 != (try before.tensor(prefixed(mean)).floats) })
        let count = "bn1.num_batches_tracked"
        #expect(try before.tensor(prefixed(count)).integers == [6] && model.tensor(count).integers == [12])
        #expect(try model.tensor(count).kind == .i64 && (7...11).contains(average.tensor("ema/" + count).integers[0]))
        // A later run may take the average, statistics included.
        var averaged = StartingWeights("\(folder.path)/fine")
        averaged.isAveraged = true
        #expect(try !train(Self.finetune, "again", from: averaged).contains { $0.hasPrefix("  missing") })
    }

    private func prefixed(_ name: String) -> String { SparK.encoderPrefix + name }

    @Test(arguments: [pretrain, finetune]) func `a step allocates nothing after the first two`(recipe: String) throws {
        let trainer = try bench(recipe, batch: 4, ["images.size=32"]).trainer
        for _ in 0..<2 { _ = try trainer.step() }
        let before = allocations_of_this_thread()
        for _ in 0..<3 { _ = try trainer.step() }
        #expect(allocations_of_this_thread() == before)
    }

    @Test func `layers that mix a whole image are refused by name`() {
        for layer in ["group_norm", "instance_norm", "squeeze_excitation", "global_pool", "sigmoid", "conv1d"] {
            let error = #expect(throws: RecipeError.self) {
                try shippedRecipe(
                    Self.convnet,
                    [
                        "model.stages=[[{kind: conv, channels: 64, kernel_size: 3, stride: 2}, {kind: \(layer)}]]",
                        "images.size=64",
                    ])
            }
            #expect(error?.issues.count == 1 && "\(error?.issues ?? [])".contains("'\(layer)' "), "\(layer)")
        }
    }

    @Test(arguments: [
        (
            "[[{kind: conv, channels: 6, kernel_size: 3, stride: 4, groups: 3}]]",
            "3 groups do not divide 32 and 6 channels"
        ),
        (
            "[[{kind: conv, channels: 8, kernel_size: 3, stride: 2}, {kind: relu}]]",
            "an activation follows a batch_norm"
        ),
        ("[[{kind: conv, channels: 8, kernel_size: 3, stride: 2}, {kind: add}]]", "add needs a keep"),
        (
            "[[{kind: max_pool, kernel_size: 3, stride: 2}], [{kind: conv, channels: 8, kernel_size: 3}]]",
            "a stage after the first halves the side"
        ),
    ])
    func `a list that is no net is refused with the reason`(stages: String, reason: String) {
        let error = #expect(throws: RecipeError.self) {
            try shippedRecipe(Self.convnet, ["model.stages=\(stages)"])
        }
        #expect("\(error?.issues ?? [])".contains(reason), "\(error?.issues ?? [])")
    }
}

/// A folder for one test, removed with it.
private final class Scratch {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("lacuna-\(UUID().uuidString)").path
    deinit { try? FileManager.default.removeItem(atPath: path) }
}
