import Autodiff
import Checkpoints
import FoundationEssentials
import Kernels
import Models
import Objectives
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
    }
    struct Group: Decodable, Sendable {
        let names: [String]
        let weight_decay, lr_scale: Double
    }

    let type: String
    let img_size, in_chans: Int
    let mask_ratio: Double?
    let mask_patch_size, num_classes: Int?
    let train: Train?
    let param_groups: [Group]?

    var input: InputSpec {
        InputSpec(image: ImageSpec(side: img_size, channels: in_chans), classes: num_classes ?? 0)
    }
}

/// One fixture of the area whose encoder is a ViT.
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
                let config = try? JSONDecoder().decode(SimMIMConfig.self, from: text), config.type == "vit",
                let model = try? JSONDecoder().decode(VisionTransformer.Settings.self, from: text)
            else { return nil }
            return SimMIMFile(name: name, file: file, config: config, model: model)
        }
    }

    func simMIM(_ graph: Graph) throws -> SimMIM {
        let settings = SimMIM.Settings(
            maskRatio: try #require(config.mask_ratio), maskPatch: try #require(config.mask_patch_size))
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
            guard case .integers(let integers) = table.content else { continue }
            let stored = try file.tensor("param/\(table.name)")
            #expect(stored.integers == integers && stored.shape == table.shape.extents, "\(table.name)")
        }
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
