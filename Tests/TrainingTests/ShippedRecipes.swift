import Cluster
import FoundationEssentials
import Kernels
import Objectives
import Recipes
import Training

/// The folder of the package, three levels above this file.
let package = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }

/// Every shipped recipe, as a path relative to the package.
let shipped: [String] = {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "\(package)/Recipes")) ?? []
    return names.filter { $0.hasSuffix(".yaml") }.sorted().map { "Recipes/\($0)" }
}()

struct NoSuchFile: Error {}

func shippedRecipe(_ path: String, _ overrides: [String] = []) throws -> Recipe {
    try Recipe.load(path, overrides: overrides, catalogue: Catalog.kinds) { path, limit in
        guard let bytes = FileManager.default.contents(atPath: "\(package)/\(path)") else { throw NoSuchFile() }
        return Array(bytes.prefix(limit))
    }
}

/// Training on synthetic data in batches of `batch`.
func bench(_ path: String, batch: Int, threads: Int = 1, _ overrides: [String] = []) throws -> StepBench {
    let recipe = try shippedRecipe(path, overrides + ["batch.global=\(batch)", "batch.grad_accum_steps=1"])
    return try StepBench(recipe, communicator: SingleProcess(), pool: WorkerPool(threads: threads))
}
