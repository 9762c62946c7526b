import Models
import Objectives
import Optimizers
import Testing

import Recipes

@Suite struct ShippedRecipesTests {
    @Test func `there are recipes to check`() {
        #expect(shipped.count >= 8)
    }

    @Test(arguments: shipped)
    func `a shipped recipe decodes`(path: String) throws {
        let recipe = try Recipe.load(path, catalogue: .all, read: readFromDisk)
        #expect(recipe.schema == 2)
    }

    @Test(arguments: shipped)
    func `a shipped recipe starts with its command and cost`(path: String) throws {
        let text = String(decoding: try readFromDisk(path, 1 << 20), as: UTF8.self)
        let kind = try Recipe.load(path, catalogue: .all, read: readFromDisk).kind
        #expect(text.prefix { $0 != "\n" }.contains("lacuna \(kind) \(path)"))
        #expect(text.contains("\n# Cost: "))
        #expect(text.contains("\n# Expected: "))
    }

    @Test func `the starter decodes`() {
        #expect(errors(Recipe.starter) == [])
    }

    /// The settings of microsoft/SimMIM for ViT-B, at its global batch of 2048.
    @Test func `the published ViT-B recipe has the published numbers`() throws {
        let recipe = try Recipe.load(
            "Recipes/simmim-vit_base-imagenet_1k-800ep.yaml", catalogue: .all, read: readFromDisk)
        #expect(recipe.batch.global == 2048)
        let rule = try recipe.optimizer.decode(AdamW.Settings.self)
        #expect(recipe.optimizer.kind == AdamW.kind && rule.betas == [0.9, 0.999] && rule.eps == 1e-8)
        #expect(recipe.optimizer.weightDecay == 0.05)
        let steps = try recipe.schedule.decode(MultiStep.Settings.self)
        #expect(steps.milestonesEpochs == [700] && steps.gamma == 0.1 && steps.form == .simmim)
        #expect(recipe.schedule.epochs == 800 && recipe.schedule.warmupEpochs == 10)
        #expect(recipe.schedule.baseLR * recipe.schedule.shared.rateFactor(global: recipe.batch.global) == 4e-4)
        #expect(recipe.settings(of: Clip.self)?.maxNorm == 5)
        let model = try recipe.model.decode(VisionTransformer.Settings.self)
        #expect((model.width, model.depth, model.heads, model.patch) == (768, 12, 12, 16))
        let objective = try recipe.objective.decode(SimMIM.Settings.self)
        #expect(objective.maskRatio == 0.6 && objective.maskPatchSize == 32)
    }

    /// The deep network of arXiv 2410.20035.
    @Test func `the published fully connected network can be written`() throws {
        let recipe = try Recipe.load(
            "Recipes/supervised-fcn-fashion_mnist-5ep.yaml",
            overrides: [
                "model.depth=48", "model.first_width=2048", "model.embed_dim=1024", "model.dropout=0.1",
                "model.channels=3",
            ],
            catalogue: .all, read: readFromDisk)
        let model = try recipe.model.decode(FullyConnected.Settings.self)
        #expect(model.depth == 48 && model.firstWidth == 2048 && model.width == 1024)
        #expect(model.hasNorms && !model.isGrey && model.dropout == 0.1)
    }
}
