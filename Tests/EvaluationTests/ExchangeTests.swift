import Checkpoints
import Evaluation
import Kernels
import Messages
import Objectives
import Platform
import Recipes
import Testing

/// Weights to other libraries and back. The libraries themselves are asked by Tests/Peers/interop.
@Suite struct ExchangeTests {
    private static let library = "lacuna test"

    /// A run of four updates, exported.
    private func exported(
        _ library: ThirdPartyLibrary, in folder: Scratch, _ changes: [String] = []
    ) throws -> (recipe: Recipe, checkpoint: Checkpoint, file: Safetensors) {
        let recipe = try smallRecipe(["schedule.epochs=1", "schedule.warmup_epochs=0"] + changes)
        let run = "\(folder.path)/run-\(changes.count)"
        try train(recipe, in: run)
        let checkpoint = try CheckpointPlace(run).newestValid()
        return (recipe, checkpoint, try exported(checkpoint, recipe, library, in: folder))
    }

    private func exported(
        _ checkpoint: Checkpoint, _ recipe: Recipe, _ library: ThirdPartyLibrary = .timm, in folder: Scratch
    ) throws -> Safetensors {
        let model = try ExportedModel(
            checkpoint, recipe, for: library, ema: false, program: Self.library, pool: pool)
        let path = folder.path + "/exported/model.safetensors"
        #expect(try model.write(to: path) == folder.path + "/exported/config.json")
        return try Safetensors(path)
    }

    @Test func `the image of a parity vector is the formula's`() {
        let image = ParityVector.image(side: 20, channels: 3)
        func value(_ c: Int, _ y: Int, _ x: Int) -> Float { image[(y * 20 + x) * 3 + c] }
        #expect(value(0, 0, 0) == -2 && value(1, 0, 0) == -91.0 / 64)
        // 74 + 17·19 + 29·18 + 19·18 = 1261 = 4·256 + 237
        #expect(value(2, 19, 18) == 109.0 / 64)
        #expect(image.count == 1200)
    }

    @Test func `a SimMIM export has the model's own names and comes back whole`() throws {
        let folder = try Scratch()
        let (recipe, checkpoint, file) = try exported(.simmim, in: folder)
        let saved = try checkpoint.open(.model)
        #expect(file.names == saved.names)
        #expect(try file.tensor("encoder.rel_pos_bias.relative_position_index").kind == .i64)
        #expect(file.metadata["architecture"] == "VisionTransformerForSimMIM" && file.metadata["step"] == "4")
        let imported = try ImportedModel(ThirdPartyWeights(file), into: recipe, pool: pool)
        #expect(imported.faults == [] && imported.report.missing == [] && imported.report.unexpected == [])
        guard case .compared(.features, let largest, let scale) = imported.parity else {
            Issue.record("\(imported.parity)")
            return
        }
        #expect(largest == 0 && scale > 0)
        let outcome = CheckpointStore(folder.path + "/back/checkpoints").save(imported.content(program: Self.library))
        guard case .saved(let path, _, _, _) = outcome else {
            Issue.record("\(outcome)")
            return
        }
        let back = try Checkpoint(path)
        #expect(back.step == 4)
        for name in saved.names {
            #expect(try back.open(.model).tensor(name).bytes.array == saved.tensor(name).bytes.array, "\(name)")
        }
        // What reads checkpoints takes it.
        let source = try recipe.evaluationSource()
        let errors = try [checkpoint, back].map {
            try Reconstruction(recipe, source, weights: .saved($0), pool: pool).maskedError(images: 11).value
        }
        #expect(errors[0] == errors[1])
    }

    @Test func `a timm export is the bare encoder, and its import leaves decoder and mask token at their start`() throws
    {
        let folder = try Scratch()
        let evaluation = "images.evaluation={crop_pct: 0.9, interpolation: bicubic}"
        let (recipe, _, file) = try exported(.timm, in: folder, [evaluation])
        #expect(file.contains("blocks.1.gamma_1") && file.contains("norm.weight"))
        #expect(
            !file.names.contains {
                $0.contains("index") || $0.contains("decoder") || $0.contains("mask_token") || $0.contains("encoder")
            })
        let config = try JSON(String(decoding: folder.bytes("exported/config.json"), as: UTF8.self))
        #expect(config["architecture"]?.string == "beit_base_patch16_224")
        #expect(config["model_args"]?["num_heads"]?.integer == 2)
        #expect(config["model_args"]?["use_shared_rel_pos_bias"]?.bool == true)
        let view = config["pretrained_cfg"]
        #expect(view?["input_size"]?.integers == [3, 16, 16] && view?["crop_pct"]?.number == 0.9)
        #expect(view?["crop_mode"]?.string == "center" && view?["interpolation"]?.string == "bicubic")
        #expect(file.metadata["config"].map { try? JSON($0) } == config)
        let imported = try ImportedModel(ThirdPartyWeights(file), into: recipe, pool: pool)
        #expect(imported.report.missing == ["encoder.mask_token", "decoder.0.weight", "decoder.0.bias"])
        #expect(imported.faults == [] && !imported.parity.differs)
    }

    @Test func `a plain ViT has timm's names for its bias and its scales`() throws {
        let folder = try Scratch()
        let changes = [
            "model.key_bias=true", "model.use_abs_pos_emb=true", "model.use_shared_rel_pos_bias=false",
        ]
        let (recipe, _, file) = try exported(.timm, in: folder, changes)
        #expect(file.metadata["architecture"] == "vit_tiny_patch16_224")
        #expect(try file.tensor("blocks.0.attn.qkv.bias").shape == [96])
        #expect(file.contains("blocks.1.ls2.gamma") && !file.contains("blocks.1.gamma_2"))
        let imported = try ImportedModel(ThirdPartyWeights(file), into: recipe, pool: pool)
        #expect(imported.faults == [] && !imported.parity.differs && imported.parity != .none)
    }

    @Test func `a model of another shape is found by its names, one of other heads by its numbers`() throws {
        let folder = try Scratch()
        let (_, _, file) = try exported(.timm, in: folder)
        func imported(_ change: String) throws -> ImportedModel {
            try ImportedModel(ThirdPartyWeights(file), into: smallRecipe([change]), pool: pool)
        }
        let short = try imported("model.depth=1")
        #expect(short.faults.count == 15 && short.faults.allSatisfy { $0.hasPrefix("encoder.blocks.1.") })
        let long = try imported("model.depth=3")
        #expect(long.faults.allSatisfy { $0.hasPrefix("encoder.blocks.2.") } && long.faults.count == 15)
        #expect(long.suspects == "model.depth or depths")
        let narrow = try imported("model.embed_dim=16")
        #expect(narrow.suspects == "model.embed_dim")
        let plain = try ImportedModel(
            ThirdPartyWeights(file),
            into: smallRecipe([
                "model.key_bias=true", "model.use_abs_pos_emb=true", "model.use_shared_rel_pos_bias=false",
            ]), pool: pool)
        #expect(plain.suspects == "model.key_bias, model.use_abs_pos_emb, model.use_shared_rel_pos_bias")
        #expect(narrow.faults.contains("encoder.cls_token"))
        // One head instead of two changes the shape of the table alone; without tables nothing but the numbers.
        let single = try imported("model.num_heads=1")
        #expect(single.faults == ["encoder.rel_pos_bias.relative_position_bias_table"])
        #expect(single.suspects == "model.num_heads and images.size")
        let unbiased = ["model.use_abs_pos_emb=true", "model.use_shared_rel_pos_bias=false"]
        let (recipe, _, fresh) = try exported(.timm, in: folder, unbiased)
        let trained = try exported(strengthened(fresh, recipe, in: folder), recipe, in: folder)
        let wrong = try ImportedModel(
            ThirdPartyWeights(trained), into: smallRecipe(unbiased + ["model.num_heads=1"]), pool: pool)
        #expect(wrong.faults == [] && wrong.parity.differs, "\(wrong.parity)")
    }

    /// The model with attention that matters: of its start, which is almost none, tenfold queries and keys.
    private func strengthened(_ file: Safetensors, _ recipe: Recipe, in folder: Scratch) throws -> Checkpoint {
        let tensors = file.tensors.map { tensor in
            let factor: Float = tensor.name.hasSuffix("qkv.weight") ? 10 : 1
            return StoredTensor(tensor.name, Shape(tensor.shape), Floats(tensor.floats.map { $0 * factor }))
        }
        let path = folder.path + "/strong.safetensors"
        try Safetensors.write(tensors, to: path)
        let model = try ImportedModel(ThirdPartyWeights(Safetensors(path)), into: recipe, pool: pool)
        #expect(model.parity == .none)
        _ = CheckpointStore(folder.path + "/strong/checkpoints").save(model.content(program: Self.library))
        return try CheckpointPlace(folder.path + "/strong").newestValid()
    }

    @Test func `an export does not replace the config of another model`() throws {
        let folder = try Scratch()
        let (recipe, checkpoint, _) = try exported(.simmim, in: folder)
        let model = try ExportedModel(
            checkpoint, recipe, for: .timm, ema: false, program: Self.library, pool: pool)
        #expect(throws: CheckpointError.self) { try model.write(to: folder.path + "/exported/other.safetensors") }
        _ = try model.write(to: folder.path + "/exported/model.safetensors")
        #expect(throws: CheckpointError.self) {
            try ExportedModel(checkpoint, recipe, for: .timm, ema: true, program: Self.library, pool: pool)
        }
    }

    @Test func `what another library cannot build is refused`() throws {
        for (change, library) in [
            ("model.key_bias=true", ThirdPartyLibrary.timm), ("model.key_bias=true", .simmim),
            ("model.global_pool=avg", .timm),
        ] {
            #expect(throws: EvaluationError.self) { try exported(library, in: Scratch(), [change]) }
        }
    }

    @Test func `a Swin goes to timm and comes back, also with other windows`() throws {
        let swin = [
            "model.kind=swin", "model.embed_dim=16", "model.depth=null", "model.depths=[2, 2]",
            "model.num_heads=[2, 4]",
            "model.init_values=null", "model.use_rel_pos_bias=null", "model.use_shared_rel_pos_bias=null",
        ]
        let folder = try Scratch()
        let (recipe, _, file) = try exported(.timm, in: folder, swin + ["model.window_size=2"])
        #expect(file.metadata["architecture"] == "swin_tiny_patch4_window7_224")
        #expect(file.contains("layers.1.downsample.reduction.weight"))
        #expect(!file.names.contains { $0.hasPrefix("layers.0.downsample") || $0.hasSuffix("attn_mask") })
        let imported = try ImportedModel(ThirdPartyWeights(file), into: recipe, pool: pool)
        #expect(imported.faults == [] && !imported.parity.differs && imported.parity != .none)
        let larger = try smallRecipe(swin + ["model.window_size=4", "images.size=32"])
        let resampled = try ImportedModel(ThirdPartyWeights(file), into: larger, pool: pool)
        #expect(resampled.faults == [])
        guard case .incomparable(let reason) = resampled.parity else {
            Issue.record("\(resampled.parity)")
            return
        }
        #expect(reason.hasSuffix("relative_position_bias_table was resampled"))
    }

    @Test func `timm's Swin merges patches one stage later`() throws {
        func weights(_ names: [String]) throws -> ThirdPartyWeights {
            let folder = try Scratch()
            let path = folder.path + "/swin.safetensors"
            try Safetensors.write(names.map { StoredTensor($0, [1], Floats([1])) }, to: path)
            return try ThirdPartyWeights(Safetensors(path))
        }
        let (reduction, blocks) = ("downsample.reduction.weight", "blocks.0.norm1.weight")
        let timm = try weights(
            ["layers.1.\(reduction)", "layers.2.\(reduction)", "layers.2.\(blocks)", "head.fc.weight"])
        #expect(timm.library == .timm)
        #expect(
            timm.encoder.map(\.name).sorted() == [
                "layers.0.\(reduction)", "layers.1.\(reduction)", "layers.2.\(blocks)",
            ])
        #expect(timm.others.map(\.name) == ["head.weight"])
        let names = ["layers.0.\(reduction)", "layers.1.\(reduction)", "layers.2.\(blocks)"]
        let other = try weights((names + ["layers.0.blocks.1.attn_mask"]).map { "module.encoder." + $0 })
        #expect(other.library == .simmim && other.encoder.map(\.name).sorted() == names)
    }
}
