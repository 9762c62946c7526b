import Autodiff
import Batches
import Checkpoints
import FoundationEssentials
import Kernels
import Models
import Objectives
import Optimizers
import Testing
import Training

/// SeiT's curves and laws in Double.
@Suite struct SeiTSchedules {
    struct Config: Decodable, Sendable {
        struct Curve: Decodable, Sendable {
            let kind: String
            let lr, min_lr: Double
            let warmup_lr: Double?
            let warmup_epochs, epochs: Int
            let iters, stride: Int?
        }
        struct Law: Decodable, Sendable {
            let min, max, mu, std: Double
            let patches: Int
        }
        struct Decay: Decodable, Sendable {
            let depth: Int
            let decay: Double
        }
        let pretrain, finetune, supervised: Curve
        let mask_laws: [Law]
        let lr_decay: [Decay]
    }

    struct File: Sendable, CustomTestStringConvertible {
        let name: String
        let file: Safetensors
        let config: Config
        var testDescription: String { name }

        func doubles(_ key: String) throws -> [Double] {
            let tensor = try file.tensor(key)
            return tensor.bytes.viewed(as: Double.self).array
        }
    }

    static let files: [File] = {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: SeiTModelFile.folder)) ?? []
        return names.filter { $0.hasSuffix(".safetensors") }.sorted().compactMap { name in
            guard let file = try? Safetensors("\(SeiTModelFile.folder)/\(name)"), file.contains("output/mask_ratio_0"),
                let text = file.metadata["config"],
                let config = try? JSONDecoder().decode(Config.self, from: Data(text.utf8))
            else { return nil }
            return File(name: name, file: file, config: config)
        }
    }()

    @Test func `there are schedules to compare with`() { #expect(!Self.files.isEmpty) }

    private func expectEqual(_ ours: [Double], _ reference: [Double], _ what: String) {
        #expect(ours.count == reference.count, "\(what)")
        let worst = zip(ours, reference).reduce(0.0) { max($0, abs($1.0 - $1.1)) }
        #expect(worst <= 1e-12, "\(what) is off by \(worst)")
    }

    @Test(arguments: files) func `rates follow the reference`(_ golden: File) throws {
        for (name, curve) in [("pretrain", golden.config.pretrain), ("finetune", golden.config.finetune)] {
            let (iters, stride) = (try #require(curve.iters), try #require(curve.stride))
            let schedule = try Golden.schedule(
                EpochClock(updates: iters),
                [
                    "kind": "cosine", "form": "mae", "base_lr": curve.lr, "min_lr": curve.min_lr,
                    "warmup_epochs": curve.warmup_epochs, "warmup_lr": 0, "epochs": curve.epochs,
                ])
            let positions = try golden.doubles("input/\(name)")
            let ours = positions.indices.map { schedule.learningRate(at: $0 * stride) }
            for (index, position) in positions.enumerated() {
                #expect(abs(position - Double(index * stride) / Double(iters)) < 1e-9, "row \(index) of \(name)")
            }
            expectEqual(ours, try golden.doubles("output/\(name)"), name)
        }
        let curve = golden.config.supervised
        // Three updates an epoch: the first one has the epoch's learning rate.
        let schedule = try Golden.schedule(
            EpochClock(updates: 3),
            [
                "kind": "cosine", "form": "deit", "base_lr": curve.lr, "min_lr": curve.min_lr,
                "warmup_epochs": curve.warmup_epochs, "warmup_lr": curve.warmup_lr,
                "epochs": curve.epochs,
            ])
        let reference = try golden.doubles("output/supervised")
        expectEqual(reference.indices.map { schedule.learningRate(at: 3 * $0) }, reference, "supervised")
    }

    @Test(arguments: files) func `the share of masked patches follows its law`(_ golden: File) throws {
        let quantiles = try golden.doubles("input/u")
        for (index, law) in golden.config.mask_laws.enumerated() {
            let ours = TruncatedNormal(mu: law.mu, std: law.std, range: law.min...law.max)
            expectEqual(
                quantiles.map { ours.value(at: $0) }, try golden.doubles("output/mask_ratio_\(index)"), "law \(index)")
            expectEqual([ours.mean], try golden.doubles("output/mean_\(index)"), "mean \(index)")
            let side = Int(Double(law.patches).squareRoot())
            #expect(side * side == law.patches)
            let recipe = try variant(
                """
                tokens: {size: \(side)}
                objective:
                  mask_ratio_min: \(law.min)
                  mask_ratio_max: \(law.max)
                  mask_ratio_mu: \(law.mu)
                  mask_ratio_std: \(law.std)
                """, of: "mtm-token_vit_micro-digits")
            let objective = try Catalog.objective(recipe, Graph().scope, InputSpec(recipe, classes: 0))
            let masking = try #require(objective.masking as? TokenMasking)
            let masked = quantiles.map { masking.masked(at: $0) }
            #expect(masked == (try golden.file.tensor("output/num_masked_\(index)").integers))
            #expect([masking.dropped] == (try golden.file.tensor("output/num_dropped_\(index)").integers))
        }
    }

    @Test(arguments: files) func `layers learn at the reference's rates`(_ golden: File) throws {
        for (index, decay) in golden.config.lr_decay.enumerated() {
            let scale = LayerDecay.maeViT(depth: decay.depth)
            let names = ["cls_token"] + (0..<decay.depth).map { "blocks.\($0).norm1.weight" } + ["head.weight"]
            expectEqual(
                names.map { scale.scale(of: $0, decay: decay.decay) }, try golden.doubles("output/lr_scales_\(index)"),
                "scales \(index)")
            #expect(scale.scale(of: "token_emb.LayerNorm.weight", decay: decay.decay) == 1)
        }
    }
}
