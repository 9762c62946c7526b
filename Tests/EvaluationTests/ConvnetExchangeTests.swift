import Checkpoints
import Evaluation
import Foundation
import Objectives
import Platform
import Recipes
import Testing

/// Convnets to timm and keyu-tian/SparK and back: running statistics, counters, and buffers that hold nothing.
@Suite struct ConvnetExchangeTests {
    /// A shipped recipe on four drawn images of 64 pixels, two updates long.
    private func recipe(_ name: String, _ changes: [String]) throws -> Recipe {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let small = [
            "data.train={kind: procedural, seed: 3, count: 8, size: 64, first: 0}", "images.size=64",
            "batch.global=4", "schedule.epochs=1", "schedule.warmup_epochs=0", "checkpoint.every_epochs=1",
        ]
        return try Recipe.load(
            root.appendingPathComponent("Recipes/\(name).yaml").path, overrides: small + changes,
            catalogue: Catalog.kinds
        ) { path, _ in [UInt8](try Data(contentsOf: URL(fileURLWithPath: path))) }
    }

    private func exported(
        _ recipe: Recipe, for library: ThirdPartyLibrary, in folder: Scratch
    ) throws -> (saved: Safetensors, file: Safetensors) {
        let run = "\(folder.path)/run"
        try train(recipe, in: run)
        let checkpoint = try CheckpointPlace(run).newestValid()
        let model = try ExportedModel(checkpoint, recipe, for: library, ema: false, program: "test", pool: pool)
        let path = folder.path + "/exported/model.safetensors"
        _ = try model.write(to: path)
        return (try checkpoint.open(.model), try Safetensors(path))
    }

    private var resNet: Recipe {
        get throws { try recipe("spark-small16-procedural", ["model.preset=resnet18"]) }
    }

    @Test func `a pretrained ResNet is timm's backbone with running statistics and whole counters`() throws {
        let (folder, recipe) = (try Scratch(), try resNet)
        let (_, file) = try exported(recipe, for: .timm, in: folder)
        #expect(file.metadata["architecture"] == "resnet18" && file.names.count == 120)
        let count = try file.tensor("layer4.1.bn2.num_batches_tracked")
        #expect(count.kind == .i64 && count.shape.isEmpty && count.integers == [2])
        #expect(
            file.contains("bn1.running_var") && !file.names.contains { $0.contains("dense") || $0.contains("mask") })
        let back = try ImportedModel(ThirdPartyWeights(file), into: recipe, pool: pool)
        #expect(back.faults == [] && !back.parity.differs && back.parity != .none)
        #expect(!back.report.missing.contains { $0.hasPrefix("sparse_encoder.") })
    }

    @Test func `a pretraining model has SparK's keys, three of which hold nothing`() throws {
        let (folder, recipe) = (try Scratch(), try resNet)
        let (saved, file) = try exported(recipe, for: .spark, in: folder)
        #expect(Set(file.names) == Set(saved.names + ["imn_m", "imn_s", "norm_black"]))
        #expect(try file.tensor("norm_black").shape == [1, 3, 64, 64])
        #expect(try file.tensor("imn_s").floats == [0, 0, 0])
        let back = try ImportedModel(ThirdPartyWeights(file), into: recipe, pool: pool)
        #expect(back.faults == [] && back.report.missing == [] && back.report.unexpected == [])
        guard case .compared(.features, let largest, _) = back.parity else {
            Issue.record("\(back.parity)")
            return
        }
        #expect(largest == 0)
    }

    @Test func `a ConvNeXt classifier has timm's names, an encoder alone has no counterpart there`() throws {
        let folder = try Scratch()
        let classifier = try recipe(
            "finetune-convnext_small-imagenet_1k-400ep",
            [
                "data.train={path: null, index: null}", "data.evaluation=null", "evaluation=null", "ema=null",
                "model.preset=tiny", "batch.aug_repeats=1",
            ])
        let (_, file) = try exported(classifier, for: .timm, in: folder)
        #expect(file.metadata["architecture"] == "convnext_tiny")
        for name in [
            "stem.1.bias", "stages.1.downsample.1.weight", "stages.2.blocks.8.conv_dw.weight",
            "stages.3.blocks.0.mlp.fc2.bias", "stages.0.blocks.2.gamma", "head.norm.weight", "head.fc.bias",
        ] { #expect(file.contains(name), "\(name)") }
        let back = try ImportedModel(ThirdPartyWeights(file), into: classifier, pool: pool)
        #expect(back.faults == [] && back.report.missing == [] && !back.parity.differs && back.parity != .none)
        let encoder = try recipe(
            "spark-small16-procedural", ["model={kind: convnext, preset: tiny}", "data.evaluation=null"])
        #expect(throws: EvaluationError.self) { try exported(encoder, for: .timm, in: Scratch()) }
    }
}
