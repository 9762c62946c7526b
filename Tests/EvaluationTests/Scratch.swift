import Foundation
import Kernels
import Objectives
import Recipes

/// A folder for one test, removed with it.
final class Scratch {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("lacuna-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ name: String, _ bytes: [UInt8]) throws {
        let file = URL(fileURLWithPath: path).appendingPathComponent(name)
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(bytes).write(to: file)
    }

    func bytes(_ name: String) -> [UInt8] { [UInt8](FileManager.default.contents(atPath: path + "/" + name) ?? Data()) }
}

/// The procedural recipe with a model of two narrow blocks and images of 16 pixels.
func smallRecipe(_ changes: [String] = []) throws -> Recipe {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    let path = root.appendingPathComponent("Recipes/simmim-vit_micro-procedural.yaml").path
    let small = [
        "data.train={seed: 3, count: 40, size: 20, first: 0}",
        "data.evaluation={seed: 3, count: 11, size: 20, first: 40}",
        "images.size=16", "objective.mask_patch_size=4", "model.preset=null", "model.embed_dim=32", "model.depth=2",
        "model.num_heads=2", "batch.global=10", "schedule.epochs=5", "schedule.base_lr=0.05",
    ]
    return try Recipe.load(path, overrides: small + changes, catalogue: Catalog.kinds) { path, _ in
        [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    }
}

/// A pool of its own for each use: tests run side by side, and a pool runs one job at a time.
var pool: WorkerPool { WorkerPool(threads: 2) }
