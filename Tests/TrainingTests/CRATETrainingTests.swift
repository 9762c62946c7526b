import Checkpoints
import Cluster
import Foundation
import Kernels
import Platform
import Recipes
import Testing
import Training

/// CRATE through the verbs' own path: pre-training, and fine-tuning of both networks.
@Suite struct CRATETrainingTests {
    private static let data = [
        "data.train={seed: 3, count: 40, size: 20, first: 0}",
        "data.evaluation={seed: 3, count: 10, size: 20, first: 40}",
        "images.size=16", "model.preset=null", "model.embed_dim=32", "model.depth=2", "model.num_heads=2",
        "schedule.epochs=1", "schedule.warmup_epochs=0", "batch.global=10", "checkpoint.every_epochs=1",
    ]
    private let folder = Scratch()

    private func train(
        _ recipe: String, _ name: String, _ changes: [String], from start: StartingWeights? = nil
    ) throws -> (checkpoint: Checkpoint, said: [String]) {
        let speaker = Listener()
        var options = TrainingRun.Options(folder: "\(folder.path)/\(name)")
        options.start = start
        _ = try TrainingRun(
            shippedRecipe(recipe, Self.data + changes), options, communicator: SingleProcess(),
            pool: WorkerPool(threads: 1), stop: .handlingSignals(), speaker: speaker
        ).run()
        return (try CheckpointPlace("\(folder.path)/\(name)").newestValid(), speaker.lines)
    }

    @Test func `fixed tables and unused maps keep their values, the rest moves`() throws {
        let run = try train("Recipes/crate_mae-micro-procedural.yaml", "pre", ["log.every_updates=1"])
        let saved = try run.checkpoint.open(.model)
        let still = try train(
            "Recipes/crate_mae-micro-procedural.yaml", "still", ["schedule.base_lr=0", "log.every_updates=1"])
        let start = try still.checkpoint.open(.model)
        for name in saved.names {
            let isStill = name.hasSuffix("pos_embed") || name.hasPrefix("decoder_embed.")
            let isSame = try saved.tensor(name).floats == start.tensor(name).floats
            #expect(isSame == isStill, "\(name)")
        }
    }

    @Test(arguments: ["token", "avg"])
    func `the encoder of the auto-encoder goes on as a classifier`(pooling: String) throws {
        _ = try train("Recipes/crate_mae-micro-procedural.yaml", "pre", [])
        let changes = [
            "data.train={kind: procedural, path: null, split: null, seed: 3, count: 40, size: 20, first: 0}",
            "data.evaluation={kind: procedural, path: null, split: null, seed: 3, count: 10, size: 20, first: 40}",
            "data.subset=null", "model.global_pool=\(pooling)", "ema=null", "evaluation=null",
        ]
        let said = try train(
            "Recipes/finetune-crate_mae_micro-fashion_mnist-1pct.yaml", "fine-\(pooling)", changes,
            from: StartingWeights("\(folder.path)/pre")
        ).said
        let isMean = pooling == "avg"
        let tensors = 2 + 2 + 2 * 8 + (isMean ? 0 : 2)
        #expect(said.contains { $0.hasSuffix("model.safetensors: \(tensors) tensors taken") }, "\(said)")
        #expect(said.contains("  new: " + (isMean ? "fc_norm.bias, fc_norm.weight, " : "") + "head.bias, head.weight"))
        #expect(said.contains("  not used: mask_token" + (isMean ? ", norm.bias, norm.weight" : "")))
    }
}

/// A folder for one test, removed with it.
private final class Scratch {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("lacuna-\(UUID().uuidString)").path
    deinit { try? FileManager.default.removeItem(atPath: path) }
}
