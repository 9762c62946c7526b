import Autodiff
import Checkpoints
import FoundationEssentials
import Kernels
import Models
import Objectives
import Recipes
import Testing

/// The part of a fixture's metadata that is not the encoder's.
struct SimMIMConfig: Decodable, Sendable {
    struct Train: Decodable, Sendable {
        let betas: [Double]
        let eps: Double
        let accumulation_steps, n_iter_per_epoch, epochs, warmup_epochs: Int
        let base_lr, warmup_lr, weight_decay, clip_grad: Double
        let name: String
        let min_lr, gamma, layer_decay, decay_rate: Double?
        let multisteps: [Int]?
        let decay_epochs: Int?

        /// Optimizer, schedule and clip of a recipe that trains so.
        var recipe: Recipe {
            get throws {
                let schedule = SimMIMTrain(
                    name: name, epochs: epochs, warmup_epochs: warmup_epochs, warmup_lr: warmup_lr, min_lr: min_lr,
                    gamma: gamma, decay_rate: decay_rate, multisteps: multisteps, decay_epochs: decay_epochs)
                let optimizer: KeyValuePairs<String, Any?> = [
                    "kind": "adamw", "betas": betas, "eps": eps, "weight_decay": weight_decay,
                ]
                return try Golden.recipe(
                    with: section("schedule", schedule.keys(base: base_lr)) + "\n" + section("optimizer", optimizer)
                        + "\n" + section("clip", ["max_norm": clip_grad]))
            }
        }
    }
    struct Group: Decodable, Sendable {
        let names: [String]
        let weight_decay, lr_scale: Double
    }

    let img_size, in_chans, patch_size: Int
    let mask_ratio: Double?
    let mask_patch_size, num_classes: Int?
    let train: Train?
    let param_groups: [Group]?

    var input: InputSpec {
        InputSpec(image: ImageSpec(side: img_size, channels: in_chans), classes: num_classes ?? 0)
    }
}

/// The encoder that the metadata of a fixture describes, told by its `type`.
struct SimMIMEncoder: Decodable, Sendable {
    let settings: any EncoderSettings

    private enum CodingKeys: String, CodingKey { case type }

    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        switch try values.decode(String.self, forKey: .type) {
        case "vit": settings = try SimMIMViT(from: decoder).settings
        case "swin": settings = try SimMIMSwin(from: decoder).settings
        case let other:
            throw DecodingError.dataCorruptedError(
                forKey: .type, in: values, debugDescription: "no encoder is called '\(other)'")
        }
    }
}

/// A model of one phase, encoder and all.
struct SimMIMDescription: Decodable, Sendable {
    let config: SimMIMConfig
    let settings: any EncoderSettings

    init(from decoder: any Decoder) throws {
        config = try SimMIMConfig(from: decoder)
        settings = try SimMIMEncoder(from: decoder).settings
    }
}

/// One fixture of the area that has an encoder.
struct SimMIMFile: Sendable, CustomTestStringConvertible {
    let name: String
    let file: Safetensors
    let config: SimMIMConfig
    let model: any EncoderSettings

    var testDescription: String { name }

    func floats(_ key: String) throws -> [Float] { try file.tensor(key).floats }
    func integers(_ key: String) throws -> [Int] { try file.tensor(key).integers }
    /// What follows `prefix` in the names that begin with it.
    func parts(after prefix: String) -> [String] {
        file.names.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
    }

    static let folder = (ProcessInfo.processInfo.environment["LACUNA_GOLDEN"] ?? "Tests/Golden/Fixtures") + "/simmim"

    static func names(endingIn ending: String) -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.filter { $0.hasSuffix(ending) }.sorted()
    }

    /// The fixtures that hold all of `keys`; the kind of a file is told by what is in it.
    static func files(holding keys: String...) -> [SimMIMFile] {
        names(endingIn: ".safetensors").compactMap { name in
            guard let file = try? Safetensors("\(folder)/\(name)"), keys.allSatisfy(file.contains),
                let text = file.metadata["config"].map({ Data($0.utf8) }),
                let found = try? JSONDecoder().decode(SimMIMDescription.self, from: text)
            else { return nil }
            return SimMIMFile(name: name, file: file, config: found.config, model: found.settings)
        }
    }

    func simMIM(_ graph: Graph) throws -> SimMIM {
        let settings = SimMIM.Settings(
            maskRatio: try #require(config.mask_ratio), maskPatchSize: try #require(config.mask_patch_size))
        return try SimMIM(settings, model, graph.scope, config.input)
    }

    func classification(_ graph: Graph) throws -> Classification {
        try Classification(.init(labelSmoothing: 0), model, graph.scope, config.input)
    }

    /// Fills every parameter from the file and compares the constant tables. Both sides must name the same ones.
    func load(into store: ParameterStore) throws {
        let tables = store.buffers.map(\.name)
        #expect(Set(parts(after: "param/")) == Set(store.names + tables), "names of parameters and buffers")
        for name in store.names {
            let (stored, slot) = (try file.tensor("param/\(name)"), try #require(store.slot(name)))
            #expect(stored.shape == slot.parameter.shape.extents, "\(name)")
            try stored.copy(into: store.values[slot.range])
        }
        for table in store.buffers {
            let stored = try file.tensor("param/\(table.name)")
            #expect(stored.shape == table.shape.extents, "\(table.name)")
            switch table.content {
            case .integers(let integers): #expect(stored.integers == integers, "\(table.name)")
            case .constants(let numbers): #expect(stored.floats == numbers, "\(table.name)")
            case .floats, .counter: Issue.record("\(table.name): no encoder of this area moves its tables")
            }
        }
    }
}

extension Array {
    /// The key third of the bias of a joint projection of query, key and value, and the rest. Softmax does not see the
    /// former: its true gradient is 0 and what is there is rounding.
    func partedKeyBias(_ name: String) -> (rest: [Element], key: [Element]) {
        guard name.hasSuffix("attn.qkv.bias") else { return (self, []) }
        let third = count / 3
        return (Array(self[..<third] + self[(2 * third)...]), Array(self[third..<2 * third]))
    }
}

/// (B, C, H, W) as (B, H, W, C), for images and feature maps of the reference.
func channelsLast(_ values: some Collection<Float>, _ extents: [Int]) -> [Float] {
    let (B, C, area) = (extents[0], extents[1], extents[2...].reduce(1, *))
    let values = Array(values)
    var result = [Float](repeating: 0, count: values.count)
    for sample in 0..<B {
        for channel in 0..<C {
            for pixel in 0..<area {
                result[(sample * area + pixel) * C + channel] = values[(sample * C + channel) * area + pixel]
            }
        }
    }
    return result
}

/// Largest difference at most `tolerance` of the reference's largest magnitude.
func expectWithin(
    _ tolerance: Float, _ ours: [Float], _ reference: [Float], _ what: String,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    guard ours.count == reference.count else {
        Issue.record("\(what): \(ours.count) values, reference \(reference.count)", sourceLocation: sourceLocation)
        return
    }
    let scale = reference.reduce(Float.leastNormalMagnitude) { max($0, abs($1)) }
    let worst = zip(ours, reference).reduce(Float(0)) { $1.0.isNaN ? .infinity : max($0, abs($1.0 - $1.1)) }
    #expect(worst <= tolerance * scale, "\(what): off by \(worst) at scale \(scale)", sourceLocation: sourceLocation)
}
