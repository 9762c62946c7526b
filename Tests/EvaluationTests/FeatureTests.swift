import Autodiff
import Batches
import Checkpoints
import Cluster
import Evaluation
import Foundation
import Kernels
import Objectives
import Recipes
import Testing
import Training

@Suite struct FeatureTests {
    // A pool serves one caller at a time.
    private let pool = WorkerPool(threads: 2)

    private func features(
        _ recipe: Recipe, _ spec: FeatureSpec = FeatureSpec(), batch: Int = 4, seed: UInt64? = nil,
        cache: FeatureCache? = nil
    ) throws -> Features {
        let source = try recipe.evaluationSource()
        return try #require(
            try FeatureExtractor(
                recipe, { _ in spec }, classes: 10, weights: .initial(seed: seed), batch: batch, pool: pool
            )
            .features(of: source, cache: cache, over: SingleProcess()))
    }

    /// Eleven samples in batches of four, the last of three.
    @Test func `a row is the mean over the patches of its image`() throws {
        let recipe = try smallRecipe()
        let found = try features(recipe, FeatureSpec(layer: 2, layers: 2, pool: .both))
        #expect(found.pieces.map(\.name) == ["blocks.0 class token", "output class token", "output mean"])
        #expect(found.width == 96)
        #expect(found.samples == Array(0..<11))
        let source = try recipe.evaluationSource()
        #expect(found.labels == (0..<11).map { source.label($0) ?? -1 })

        let experiment = try Experiment(recipe, samples: 11, classes: 10)
        let map = try #require(experiment.objective.encoder.outputs(experiment.batch.images).last)
        let token = try #require(map.classToken)
        let store = ParameterStore(experiment.graph, minimising: nil, seed: recipe.seed, pool: pool)
        let plan = try Plan(
            experiment.graph, minimising: nil, keeping: [map.patches, token], store: store, pool: pool)
        let loader = try Loader(
            source, Sampler(count: 11, globalBatch: 11, order: .stored), BatchCut(),
            recipe.loaderSettings(recipe.evaluationTransform), updates: 0..<1)
        plan.set(experiment.batch.images, try loader.next().images)
        plan.forward()
        let (patches, tokens) = (plan.value(of: map.patches), plan.value(of: token))
        for row in 0..<11 {
            for channel in 0..<32 {
                let mean = (0..<16).reduce(0.0) { $0 + Double(patches[(row * 16 + $1) * 32 + channel]) } / 16
                #expect(abs(Double(found.values[row * 96 + 64 + channel]) - mean) < 1e-5)
                #expect(abs(found.values[row * 96 + 32 + channel] - tokens[row * 32 + channel]) < 1e-5)
            }
        }
    }

    /// From the second batch on, features of an encoder with stochastic depth were those of branches scaled by chance.
    @Test func `every branch is kept in every batch`() throws {
        let (with, without) = try (features(smallRecipe(["model.drop_path_rate=0.5"])), features(smallRecipe()))
        #expect(with.values.array == without.values.array)
    }

    @Test func `a pretrained encoder is read at two thirds of its depth`() throws {
        #expect(try features(smallRecipe(["model.depth=3"])).description == "blocks.1 mean")
        #expect(try features(smallRecipe(["model.depth=6"])).description == "blocks.3 mean")
        #expect(throws: EvaluationError.noLayer(3, depth: 2)) {
            try features(smallRecipe(), FeatureSpec(layer: 3))
        }
        #expect(throws: EvaluationError.noLayers(2, upTo: 1)) {
            try features(smallRecipe(), FeatureSpec(layer: 1, layers: 2))
        }
    }

    @Test func `the cache gives what was computed, and only for the same weights, data and cut`() throws {
        let folder = try Scratch()
        var warnings: [String] = []
        let cache = FeatureCache(folder.path + "/features") { warnings.append($0) }
        func files() -> [String] {
            ((try? FileManager.default.contentsOfDirectory(atPath: folder.path + "/features")) ?? []).sorted()
        }
        let recipe = try smallRecipe()
        let first = try features(recipe, cache: cache)
        let name = try #require(files().first)
        let again = try features(recipe, batch: 11, cache: cache)
        #expect(again.values.array == first.values.array)
        #expect(again.labels == first.labels && again.samples == first.samples)
        #expect(files().count == 1)
        _ = try features(recipe, seed: 9, cache: cache)
        _ = try features(recipe, FeatureSpec(layer: 1), cache: cache)
        _ = try features(smallRecipe(["images.normalize.mean=[0.4,0.5,0.5]"]), cache: cache)
        _ = try features(smallRecipe(["data.evaluation.count=10"]), cache: cache)
        #expect(files().count == 5)
        #expect(warnings.isEmpty)
        // A flipped byte is noticed.
        var bytes = folder.bytes("features/" + name)
        bytes[bytes.count / 2] ^= 1
        try folder.write("features/" + name, bytes)
        #expect(try features(recipe, cache: cache).values.array == first.values.array)
        #expect(warnings.count == 1)
        #expect(warnings.first?.contains(name) == true)
    }

    @Test func `a cache that cannot be written is a warning`() throws {
        let folder = try Scratch()
        try folder.write("features", [])
        var warnings: [String] = []
        let found = try features(smallRecipe(), cache: FeatureCache(folder.path + "/features") { warnings.append($0) })
        #expect(found.count == 11)
        #expect(warnings.count == 1)
    }
}
