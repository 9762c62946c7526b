import Autodiff
import Checkpoints
import FoundationEssentials
import Kernels
import Models
import Objectives
import Testing

/// The settings of a fixture of the tokenizer. What a file holds decides its kind, so all of them may be absent.
struct TokenizerConfig: Decodable, Sendable {
    // Quantisers
    let codebook_size, code_dim, ranks, n_dead: Int?
    let decay, laplace_eps, dead_code_threshold, restart_cluster_size, commitment_weight, beta: Double?
    let cosine: Bool?
    let levels, basis, rounds: [Int]?
    let index_to_code_stride, K: Int?
    // The whole tokenizer
    let image_size, patch_size, dim, depth, heads, dim_head, mlp_dim, batch, steps: Int?
    let l1_weight, l2_weight, layernorm_eps, lr, weight_decay, eps: Double?
    let betas: [Double]?
    // Storage
    let tokens_per_image, images, bits: Int?
}

struct TokenizerFile: Sendable, CustomTestStringConvertible {
    let name: String
    let file: Safetensors
    let config: TokenizerConfig
    var testDescription: String { name }

    /// The fixtures that hold all of `keys`.
    static func files(holding keys: String...) -> [TokenizerFile] {
        goldenFiles(in: "seit", ending: ".safetensors").compactMap { path in
            guard let file = try? Safetensors(path), keys.allSatisfy(file.contains),
                let text = file.metadata["config"],
                let config = try? JSONDecoder().decode(TokenizerConfig.self, from: Data(text.utf8))
            else { return nil }
            return TokenizerFile(name: String(path.split(separator: "/").last ?? ""), file: file, config: config)
        }
    }

    func floats(_ key: String) throws -> [Float] { try file.tensor(key).floats }
    func integers(_ key: String) throws -> [Int] { try file.tensor(key).integers }
    func shape(_ key: String) throws -> [Int] { try file.tensor(key).shape }
    func parts(after prefix: String) -> [String] {
        file.names.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
    }

    /// Images (…, C, H, W) with the channels last.
    func pixels(_ key: String) throws -> [Float] {
        let extents = try shape(key)
        return channelsLast(try floats(key), [extents.dropLast(3).reduce(1, *)] + extents.suffix(3))
    }

    /// Fills parameters and the numbers that training moves; both sides must name the same ones.
    func load(into store: ParameterStore) throws {
        let names = store.names + store.buffers.map(\.name)
        let own = "quantizer." + VectorQuantizer.updatesName
        #expect(Set(parts(after: "param/")) == Set(names.filter { $0 != own }), "names of parameters")
        for name in parts(after: "param/") {
            let stored = try file.tensor("param/\(name)")
            let target = try #require(store.value(name) ?? store.buffer(name), "\(name)")
            try stored.copy(into: target)
        }
        store.buffer(own)?.fill(1)
    }

    /// The tokenizer of the file's settings.
    func tokenizer(_ graph: Graph, _ form: VQTokenizer.Settings.Form, commitment: Double) throws -> VQTokenizer {
        let sizes = TokenizerStack.Sizes(
            width: try #require(config.dim), depth: try #require(config.depth), heads: try #require(config.heads),
            headWidth: try #require(config.dim_head), hidden: try #require(config.mlp_dim))
        return try VQTokenizer(
            VQTokenizer.Settings(
                form, codebookSize: try #require(config.codebook_size), codeDim: try #require(config.code_dim),
                commitmentWeight: commitment, absoluteError: try #require(config.l1_weight), decay: config.decay ?? 0.99
            ),
            TokenizerEncoder.Settings(sizes, patch: try #require(config.patch_size)), graph.scope,
            InputSpec(image: ImageSpec(side: try #require(config.image_size))))
    }
}

/// Tolerances of the specification's section 12.
func expectOutput(
    _ ours: [Float], _ reference: [Float], _ what: String, sourceLocation: SourceLocation = #_sourceLocation
) {
    #expect(ours.count == reference.count, "\(what)", sourceLocation: sourceLocation)
    let worst = zip(ours, reference).map { abs($0 - $1) - 1e-4 * abs($1) }.max() ?? 0
    #expect(worst <= 1e-5, "\(what): off by \(worst) beyond 1e-4 of its size", sourceLocation: sourceLocation)
}

let tokenizerGradient: Float = 1e-4

/// Every place but the key slice of a bias of q, k and v, whose true gradient is zero.
func comparedPlaces(_ name: String, _ count: Int) -> [Int] {
    guard name.hasSuffix("attn.qkv.bias") else { return Array(0..<count) }
    return Array(0..<count / 3) + Array(2 * count / 3..<count)
}
