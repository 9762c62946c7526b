import Autodiff
import Checkpoints
import FoundationEssentials
import Kernels
import Models
import Objectives
import Testing

/// The settings of a CRATE fixture. What a file holds decides its kind, so all of them may be absent.
struct CRATEConfig: Decodable, Sendable {
    // The classifier
    let image_size, patch_size: [Int]?
    let num_classes, dim, depth, heads, dim_head: Int?
    let pool: String?
    let ista, label_smoothing, coding_rate_eps: Double?
    // The auto-encoder
    let img_size, embed_dim, num_heads, decoder_depth, decoder_num_heads, len_keep: Int?
    let norm_pix_loss: Bool?
    let mask_ratio, step_size: Double?
    let no_grad_parameters: [String]?
    let decay, no_decay: [String]?
    // Both
    let lambd: Double?
    // Training
    let optimizer: String?
    let betas: [Double]?
    let eps, lr, weight_decay, min_lr: Double?
    let warmup_epochs, epochs, steps_per_epoch: Int?
    // Looking
    let layer: Int?
    let other_size: [Int]?
    let pca_components: Int?

    private enum CodingKeys: String, CodingKey {
        case image_size, patch_size, num_classes, dim, depth, heads, dim_head, pool, ista, label_smoothing
        case coding_rate_eps, img_size, embed_dim, num_heads, decoder_depth, decoder_num_heads, len_keep
        case norm_pix_loss, mask_ratio, step_size, no_grad_parameters, decay, no_decay, lambd, optimizer, betas, eps, lr
        case weight_decay, min_lr, warmup_epochs, epochs, steps_per_epoch, layer, other_size, pca_components
    }

    /// The auto-encoder writes its square patch as one number, and the decay of one group is a sentence.
    init(from decoder: any Decoder) throws {
        let keys = try decoder.container(keyedBy: CodingKeys.self)
        func integer(_ key: CodingKeys) -> Int? { try? keys.decode(Int.self, forKey: key) }
        func number(_ key: CodingKeys) -> Double? { try? keys.decode(Double.self, forKey: key) }
        func names(_ key: CodingKeys) -> [String]? { try? keys.decode([String].self, forKey: key) }
        image_size = try? keys.decode([Int].self, forKey: .image_size)
        patch_size = integer(.patch_size).map { [$0, $0] } ?? (try? keys.decode([Int].self, forKey: .patch_size))
        (num_classes, dim, depth) = (integer(.num_classes), integer(.dim), integer(.depth))
        (heads, dim_head) = (integer(.heads), integer(.dim_head))
        pool = try? keys.decode(String.self, forKey: .pool)
        (ista, label_smoothing) = (number(.ista), number(.label_smoothing))
        coding_rate_eps = number(.coding_rate_eps)
        (img_size, embed_dim, num_heads) = (integer(.img_size), integer(.embed_dim), integer(.num_heads))
        (decoder_depth, decoder_num_heads) = (integer(.decoder_depth), integer(.decoder_num_heads))
        len_keep = integer(.len_keep)
        norm_pix_loss = try? keys.decode(Bool.self, forKey: .norm_pix_loss)
        (mask_ratio, step_size, lambd) = (number(.mask_ratio), number(.step_size), number(.lambd))
        (no_grad_parameters, decay, no_decay) = (names(.no_grad_parameters), names(.decay), names(.no_decay))
        optimizer = try? keys.decode(String.self, forKey: .optimizer)
        betas = try? keys.decode([Double].self, forKey: .betas)
        (eps, lr, weight_decay, min_lr) = (number(.eps), number(.lr), number(.weight_decay), number(.min_lr))
        (warmup_epochs, epochs) = (integer(.warmup_epochs), integer(.epochs))
        (steps_per_epoch, layer, pca_components) = (
            integer(.steps_per_epoch), integer(.layer), integer(.pca_components)
        )
        other_size = try? keys.decode([Int].self, forKey: .other_size)
    }
}

/// One fixture of the area.
struct CRATEFile: Sendable, CustomTestStringConvertible {
    let name: String
    let file: Safetensors
    let config: CRATEConfig

    var testDescription: String { name }

    static let folder = (ProcessInfo.processInfo.environment["LACUNA_GOLDEN"] ?? "Tests/Golden/Fixtures") + "/crate"

    /// The fixtures that hold all of `keys` and of which the rest is true.
    static func files(
        holding keys: String..., where isKind: (CRATEConfig) -> Bool = { _ in true }
    ) -> [CRATEFile] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.filter { $0.hasSuffix(".safetensors") }.sorted().compactMap { name in
            guard let file = try? Safetensors("\(folder)/\(name)"), keys.allSatisfy(file.contains),
                let text = file.metadata["config"],
                let config = try? JSONDecoder().decode(CRATEConfig.self, from: Data(text.utf8)), isKind(config)
            else { return nil }
            return CRATEFile(name: name, file: file, config: config)
        }
    }

    func floats(_ key: String) throws -> [Float] { try file.tensor(key).floats }
    func integers(_ key: String) throws -> [Int] { try file.tensor(key).integers }
    func shape(_ key: String) throws -> [Int] { try file.tensor(key).shape }
    /// Images or their gradients, (B, C, H, W), with the channels last.
    func pixels(_ key: String) throws -> [Float] {
        let tensor = try file.tensor(key)
        let extents = tensor.shape
        return channelsLast(tensor.floats, [extents.dropLast(3).reduce(1, *)] + extents.suffix(3))
    }
    /// What follows `prefix` in the names that begin with it.
    func parts(after prefix: String) -> [String] {
        file.names.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
    }

    /// Fills every parameter from the file; both sides must name the same ones, but for inputs that are trained here.
    func load(into store: ParameterStore, except inputs: [String] = []) throws {
        let names = store.names.filter { !inputs.contains($0) }
        #expect(Set(parts(after: "param/")) == Set(names), "names of parameters")
        for name in names {
            let (stored, slot) = (try file.tensor("param/\(name)"), try #require(store.slot(name)))
            #expect(stored.shape == slot.parameter.shape.extents, "\(name)")
            try stored.copy(into: store.values[slot.range])
        }
    }

    /// The classifier of the file's settings, for images and patches of any shape.
    func classifierSettings() throws -> (CRATE.Settings, PatchGrid) {
        let (image, patch) = (try #require(config.image_size), try #require(config.patch_size))
        var settings = CRATE.Settings(
            CRATESizes(
                width: try #require(config.dim), depth: try #require(config.depth), heads: try #require(config.heads),
                headWidth: config.dim_head), patch: patch[0])
        settings.step = try #require(config.ista)
        settings.threshold = try #require(config.lambd)
        settings.pooling = config.pool == "mean" ? .mean : .classToken
        return (
            settings,
            PatchGrid(rows: image[0] / patch[0], columns: image[1] / patch[1], height: patch[0], width: patch[1])
        )
    }

    func autoencoderSettings() throws -> MaskedCRATE.Settings {
        var settings = MaskedCRATE.Settings(
            CRATESizes(
                width: try #require(config.embed_dim), depth: try #require(config.depth),
                heads: try #require(config.num_heads)), patch: try #require(config.patch_size)[0])
        settings.step = config.step_size ?? settings.step
        settings.threshold = try #require(config.lambd)
        return settings
    }

    func autoencoder(_ graph: Graph) throws -> CRATEMAE {
        try CRATEMAE(
            .init(
                maskRatio: try #require(config.mask_ratio),
                normPixLoss: try #require(config.norm_pix_loss as Bool?),
                decoderDepth: config.decoder_depth, decoderNumHeads: config.decoder_num_heads),
            autoencoderSettings(), graph.scope, InputSpec(image: ImageSpec(side: try #require(config.img_size))))
    }
}

/// Tolerances of the fixtures' README.
enum CRATETolerance {
    static let output: Float = 5e-5
    static let gradient: Float = 2e-5
    static let after: Float = 3e-6
    static let loss: Float = 2e-6
    static let rate: Float = 1e-6
}
