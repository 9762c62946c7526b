import Autodiff
import Batches
import Checkpoints
import FoundationEssentials
import Kernels
import Models
import Objectives
import Testing

/// The settings of a fixture of SeiT's models and schedules. What a file holds decides its kind, so all may be absent.
struct SeiTModelConfig: Decodable, Sendable {
    let grid, codebook_size, token_embed_dim, embed_dim, depth, num_heads, num_classes, patch_size: Int?
    let decoder_embed_dim, decoder_depth, decoder_num_heads: Int?
    let mask_ratio_min, mask_ratio_max, mask_ratio_mu, mask_ratio_std, smoothing, label_smoothing: Double?
    let bce_loss: Bool?
    let lr, min_lr, weight_decay, layer_decay, eps: Double?
    let betas: [Double]?
    let warmup_epochs, epochs, steps_per_epoch: Int?
    let decay, no_decay: [String]?
    /// Layer scale and weight decay of each parameter.
    let param_groups: [String: [Double]]?
    // TokenAdapt
    let code_dim, dim, heads, dim_head, grid_in, grid_out, mlp_dim, identity_crop_offset: Int?
    let augmentation: Movement?

    struct Movement: Decodable, Sendable {
        let hflip: Bool
        let angle: Double
        let translate: [Double]
        let shear: [Double]
        let crop: [Int]
    }
}

/// One fixture of the area.
struct SeiTModelFile: Sendable, CustomTestStringConvertible {
    let name: String
    let file: Safetensors
    let config: SeiTModelConfig

    var testDescription: String { name }

    static let folder = (ProcessInfo.processInfo.environment["LACUNA_GOLDEN"] ?? "Tests/Golden/Fixtures") + "/seit"

    /// The fixtures that hold all of `keys`; the kind of a file is told by what is in it.
    static func files(holding keys: String...) -> [SeiTModelFile] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.filter { $0.hasSuffix(".safetensors") }.sorted().compactMap { name in
            guard let file = try? Safetensors("\(folder)/\(name)"), keys.allSatisfy(file.contains),
                let text = file.metadata["config"].map({ Data($0.utf8) }),
                let config = try? JSONDecoder().decode(SeiTModelConfig.self, from: text)
            else { return nil }
            return SeiTModelFile(name: name, file: file, config: config)
        }
    }

    func shape(_ key: String) throws -> [Int] { try file.tensor(key).shape }
    func floats(_ key: String) throws -> [Float] { try file.tensor(key).floats }
    func integers(_ key: String) throws -> [Int] { try file.tensor(key).integers }
    /// (…, C, H, W) as (…, H, W, C).
    func maps(_ key: String) throws -> [Float] { channelsLast(try floats(key), try shape(key)) }
    /// What follows `prefix` in the names that begin with it.
    func parts(after prefix: String) -> [String] {
        file.names.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
    }

    var input: InputSpec {
        get throws {
            let codes = TokenSpec(
                codes: try #require(config.codebook_size), width: try #require(config.token_embed_dim))
            return InputSpec(
                image: ImageSpec(side: try #require(config.grid), channels: 1), classes: config.num_classes ?? 0,
                tokens: codes)
        }
    }

    func encoder(_ input: TokenTransformer.Input) throws -> TokenTransformer.Settings {
        var settings = TokenTransformer.Settings(
            width: try #require(config.embed_dim), depth: try #require(config.depth),
            heads: try #require(config.num_heads), input: input)
        settings.patch = try #require(config.patch_size)
        return settings
    }

    func maskedTokens(
        _ graph: Graph, _ form: MaskedTokens.Settings.Form = .crossEntropy, smoothing: Double? = nil
    ) throws -> MaskedTokens {
        let settings = MaskedTokens.Settings(
            ratios: try #require(config.mask_ratio_min)...(try #require(config.mask_ratio_max)),
            maskRatioMu: try #require(config.mask_ratio_mu), maskRatioStd: try #require(config.mask_ratio_std),
            loss: form, labelSmoothing: try smoothing ?? #require(config.smoothing),
            decoder: .init(
                width: try #require(config.decoder_embed_dim), depth: try #require(config.decoder_depth),
                heads: try #require(config.decoder_num_heads), dropout: 0))
        return try MaskedTokens(settings, encoder(.ids), graph.scope, input)
    }

    func classification(_ graph: Graph, _ input: TokenTransformer.Input, smoothing: Double) throws -> Classification {
        try Classification(.init(labelSmoothing: smoothing), encoder(input), graph.scope, self.input)
    }

    /// The masks of `TokenMaskState`s that noise and ratio of a step stand for.
    /// - Parameter step: of a trace; nil where there is one step.
    func mask(_ objective: MaskedTokens, step: Int? = nil) throws -> [Float] {
        let masking = try #require(objective.masking as? TokenMasking)
        let noise = try floats("input/noise").map { Double($0) }
        let ratio = Double(try floats("input/mask_ratio")[step ?? 0])
        let samples = try #require(try shape("input/noise").dropLast().last)
        let masked = TokenMasking.patches(ratio, of: masking.cells)
        return (0..<samples).flatMap { sample in
            let start = ((step ?? 0) * samples + sample) * masking.cells
            let mask = Floats(zeros: masking.cells)
            masking.draw(noise: Array(noise[start..<start + masking.cells]), masked: masked, into: mask)
            return mask.array
        }
    }

    /// Fills every parameter from the file and compares the fixed tables. Both sides must name the same ones.
    func load(into store: ParameterStore) throws {
        #expect(Set(parts(after: "param/")) == Set(store.names), "names of parameters")
        for name in store.names {
            let (stored, slot) = (try file.tensor("param/\(name)"), try #require(store.slot(name)))
            #expect(stored.shape == slot.parameter.shape.extents, "\(name)")
            if slot.parameter.isFixed {
                expectWithin(1e-5, store.values[slot.range].array, stored.floats, "table \(name)")
            }
            try stored.copy(into: store.values[slot.range])
        }
    }

    /// Gradients of `store`, which belong to the sum of a loss, against the file's, of the mean.
    func compareGradients(_ store: ParameterStore, weight: Double) throws {
        let names = parts(after: "grad/")
        #expect(Set(names) == Set(store.trainableSlots.map(\.parameter.name)))
        for name in names {
            let ours = try #require(store.gradient(name)).array.map { Float(Double($0) / weight) }
            let (rest, key) = ours.partedKeyBias(name)
            expectWithin(1e-4, rest, try floats("grad/\(name)").partedKeyBias(name).rest, "gradient of \(name)")
            #expect(key.allSatisfy { abs($0) <= 1e-6 }, "gradient of \(name), key part")
        }
    }
}

/// |ours − reference| ≤ 1e-4·|reference| + 1e-5, value by value: specs/seit.md, section 12.
func expectOutputs(
    _ ours: [Float], _ reference: [Float], _ what: String, sourceLocation: SourceLocation = #_sourceLocation
) {
    guard ours.count == reference.count else {
        Issue.record("\(what): \(ours.count) values, reference \(reference.count)", sourceLocation: sourceLocation)
        return
    }
    let wrong = zip(ours, reference).filter { !(abs($0 - $1) <= 1e-4 * abs($1) + 1e-5) }
    #expect(
        wrong.isEmpty, "\(what): \(wrong.count) of \(ours.count) are off, first \(wrong.prefix(3))",
        sourceLocation: sourceLocation)
}

/// Rows of a codebook for ids.
func codeVectors(_ ids: [Int], _ codebook: [Float], width: Int) -> [Float] {
    ids.flatMap { codebook[$0 * width..<($0 + 1) * width] }
}

/// (B, classes).
func oneHotRows(_ labels: [Int], _ classes: Int) -> [Float] {
    labels.flatMap { label in (0..<classes).map { $0 == label ? 1 : 0 } }
}
