import Checkpoints
import Cluster
import Evaluation
import Foundation
import Glibc
import Kernels
import Objectives
import Recipes
import Testing
import Training

/// The procedural CRATE-MAE recipe with two narrow layers and images of 16 pixels.
func smallCRATE(_ changes: [String] = []) throws -> Recipe {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    let path = root.appendingPathComponent("Recipes/crate_mae-micro-procedural.yaml").path
    let small = [
        "data.train={seed: 3, count: 40, size: 20, first: 0}",
        "data.evaluation={seed: 3, count: 11, size: 20, first: 40}",
        "images.size=16", "model.preset=null", "model.embed_dim=32", "model.depth=2", "model.num_heads=2",
        "batch.global=10", "schedule.epochs=5", "schedule.base_lr=0.05",
    ]
    return try Recipe.load(path, overrides: small + changes, catalogue: Catalog.kinds) { path, _ in
        [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    }
}

@Suite struct WhiteBoxTests {
    @Test func `orthonormal tokens reach the bound of the coding rate, a single direction almost none`() {
        // Eight tokens in four dimensions: each basis vector twice, of any length.
        let spread = Floats(zeros: 32), single = Floats(zeros: 32)
        for token in 0..<8 {
            spread[token * 4 + token % 4] = Float(token + 1)
            single[token * 4] = Float(token + 1)
        }
        let rate = CodingRate(epsilon: 0.01)
        let bound = 0.5 * 4 * log(1 + 1 / 0.01)
        #expect(abs(rate.rate(spread, tokens: 8, width: 4, stride: 4) - bound) < 1e-12 * bound)
        #expect(abs(rate.rate(single, tokens: 8, width: 4, stride: 4) - 0.5 * log(1 + 4 / 0.01)) < 1e-12)
        #expect(rate.rate(Floats(zeros: 32), tokens: 8, width: 4, stride: 4) == 0, "rows of zeros")
    }

    @Test func `measurements do not depend on how samples are cut into batches`() throws {
        let recipe = try smallCRATE()
        let source = try recipe.evaluationSource()
        func measure(batch: Int, images: Int = 100) throws -> LayerMeasurements {
            try CRATEAnalysis(recipe, source, batch: batch, weights: .initial(), pool: pool)
                .measurements(images: images, over: SingleProcess())
        }
        let (parts, whole) = (try measure(batch: 4), try measure(batch: 11))
        #expect(parts.images == 11 && parts.layers.count == 2)
        for (left, right) in zip(parts.layers, whole.layers) {
            #expect(abs(left.rateMean - right.rateMean) < 1e-4 * right.rateMean)
            #expect(abs(left.zeroMean - right.zeroMean) < 1e-4)
            #expect(left.zeroMean > 0.2 && left.zeroMean < 0.8 && left.rateStd != nil)
        }
        #expect(try measure(batch: 4, images: 1).layers[0].rateStd == nil)
    }

    @Test func `a network without subspaces is refused by its name`() throws {
        let recipe = try smallRecipe()
        #expect(throws: EvaluationError.noSubspaces(model: "vit")) {
            try CRATEAnalysis(recipe, recipe.evaluationSource(), weights: .initial(), pool: pool)
        }
    }

    @Test func `images have a map for each head and three for components`() throws {
        let recipe = try smallCRATE()
        let box = try CRATEAnalysis(recipe, recipe.evaluationSource(), batch: 4, weights: .initial(), pool: pool)
        #expect(try box.attention(5, layer: 0).titles == ["image", "head 1", "head 2"])
        #expect(try box.components(5, layer: 1).titles.count == 3)
    }

    @Test func `what was found of the layers stands in the report`() throws {
        let recipe = try smallCRATE()
        let source = try recipe.evaluationSource()
        let box = try CRATEAnalysis(recipe, source, weights: .initial(), pool: pool)
        let measured = try box.measurements(images: 5, over: SingleProcess())
        let folder = try ReportFolder()
        var found = LayerInspection(
            checkpoint: "somewhere", step: 12, data: "drawn", trained: measured, start: measured)
        found.files = ["step-12.csv", "step-12-attention.png"]
        try folder.write("layers/step-12.json", try found.json())
        try folder.write("layers/step-12-attention.png", try box.attention(2, layer: 0).sheet.png())
        let page = try folder.page()
        #expect(page.sections.contains("layers"))
        #expect(page.lines("Coding rate").count == 2 && page.lines("Share of non-zeros").count == 2)
        #expect(page.rows.contains { $0.hasPrefix("2|") } && page.text.contains("data:image/png;base64,"))
        #expect(found.table.split(separator: "\n").count == 3)
        let again = try JSONDecoder().decode(LayerInspection.self, from: Data(try found.json().utf8))
        #expect(again == found)
    }

    @Test func `of two lambdas the one with the lower masked loss is taken`() throws {
        let folder = try Scratch()
        // Trained with 5, whose threshold of 0.5 cuts off most of what 0.05 leaves.
        let recipe = try smallCRATE(["model.lambda=5", "schedule.epochs=40", "schedule.base_lr=0.02"])
        try train(recipe, in: folder.path + "/run")
        let file = try CheckpointPlace(folder.path + "/run").newestValid().open(.model)
        let trial = try LambdaTrial(ThirdPartyWeights(file), images: 9, pool: pool) { lambda in
            try smallCRATE(["model.lambda=\(lambda)"])
        }
        #expect(trial.images == 9 && trial.results.map(\.lambda) == LambdaTrial.published)
        #expect(trial.best == 5, "\(trial.results)")
    }
}
