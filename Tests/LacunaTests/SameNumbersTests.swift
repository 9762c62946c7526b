import Autodiff
import Batches
import Cluster
import Foundation
import Kernels
import Objectives
import Recipes
import Testing
import Training

/// What a run computes depends neither on how many ranks share it nor on how many threads a rank has.
@Suite struct SameNumbersTests {
    private func recipe(_ name: String, _ overrides: [String] = []) throws -> Recipe {
        try Recipe.load("\(Program.root)/Recipes/\(name).yaml", overrides: overrides, catalogue: Catalog.kinds) {
            path, _ in Array(FileManager.default.contents(atPath: path) ?? Data())
        }
    }

    private func loader(_ recipe: Recipe, rank: Int, of ranks: Int, updates: Int) throws -> Loader {
        let source = try recipe.source(recipe.data.train)
        let sampler = try Sampler(
            count: source.count, globalBatch: recipe.batch.global, order: .shuffled(seed: recipe.seed))
        let masking = try Experiment(recipe, samples: 1, classes: 10).objective.masking
        return try Loader(
            source, sampler, BatchCut(rank: rank, ranks: ranks),
            recipe.loaderSettings(recipe.trainingTransform, masking: masking), updates: 0..<updates)
    }

    @Test(arguments: ["simmim-vit_micro-digits", "simmim-vit_micro-procedural"])
    func `1, 2 and 4 ranks see the same samples, crops and masks in every step`(_ name: String) throws {
        let overrides =
            name.hasSuffix("digits") ? ["data.train.path=\(Program.root)/Datasets/digits/digits.safetensors"] : []
        let recipe = try recipe(name, overrides)
        let whole = try loader(recipe, rank: 0, of: 1, updates: 20)
        let parts = try [2, 4].map { ranks in
            try (0..<ranks).map { try loader(recipe, rank: $0, of: ranks, updates: 20) }
        }
        for update in 0..<20 {
            let all = try whole.next()
            for loaders in parts {
                let batches = try loaders.map { try $0.next() }
                #expect(batches.flatMap(\.samples.array) == all.samples.array, "samples of update \(update)")
                #expect(batches.flatMap(\.images.array) == all.images.array, "crops of update \(update)")
                #expect(batches.flatMap(\.masks.array) == all.masks.array, "masks of update \(update)")
                for (loader, batch) in zip(loaders, batches) { loader.release(batch) }
            }
            whole.release(all)
        }
    }

    @Test func `1, 2 and 3 threads give the same weights bit for bit`() throws {
        let recipe = try recipe(
            "simmim-vit_micro-digits", ["data.train.path=\(Program.root)/Datasets/digits/digits.safetensors"])
        let weights = try [1, 2, 3].map { threads in
            let feed = try loader(recipe, rank: 0, of: 1, updates: 20)
            let experiment = try Experiment(recipe, samples: recipe.batch.global, classes: 10)
            let trainer = try Trainer(
                experiment, feed: feed, updatesPerEpoch: 14, communicator: SingleProcess(),
                pool: WorkerPool(threads: threads))
            for _ in 0..<20 { _ = try trainer.step() }
            return trainer.store.values.array
        }
        #expect(weights[0] == weights[1])
        #expect(weights[0] == weights[2])
        #expect(weights[0].contains { $0 != 0 })
    }
}
