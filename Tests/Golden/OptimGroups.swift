import Checkpoints
import FoundationEssentials
import Testing
import Models
import Training

struct GroupSettings: Decodable, Sendable {
    struct Case: Decodable, Sendable {
        let names, no_decay_names, no_decay_keywords: [String]
        let ndim: [Int]
    }
    let depth: Int
    let layer_decay, swin_layer_decay: Double
    let swin_depths: [Int]
    let cases: [String: Case]
}

/// A parameter list of a reference model with its groups.
struct ParameterTable: Decodable, Sendable, CustomTestStringConvertible {
    struct Config: Decodable, Sendable {
        let type: String
        let depth: Int?
        let depths: [Int]?
    }
    struct Parameter: Decodable, Sendable {
        let name: String
        let shape: [Int]
        let layer_id: Int?
        let lr_scale: Double?
        let weight_decay: Double
    }
    struct Phase: Decodable, Sendable { let parameters: [Parameter] }

    let finetune_config: Config
    let layer_decay: Double
    let finetune, pretrain: Phase

    var testDescription: String { finetune_config.type }
    var isSwin: Bool { finetune_config.type == "swin" }

    static let all: [ParameterTable] = {
        let root = ProcessInfo.processInfo.environment["LACUNA_GOLDEN"] ?? "Tests/Golden/Fixtures"
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "\(root)/simmim")) ?? []
        return names.filter { $0.hasPrefix("params_") && $0.hasSuffix(".json") }.sorted().compactMap { name in
            FileManager.default.contents(atPath: "\(root)/simmim/\(name)")
                .flatMap { try? JSONDecoder().decode(ParameterTable.self, from: $0) }
        }
    }()
}

struct OptimGroups {
    static let files = optimFiles("optim", GroupSettings.self)
    static let cases = files.flatMap { file in file.settings.cases.keys.sorted().map { (file, $0) } }

    @Test(arguments: cases)
    func `layer numbers, scales and decay flags are exact`(_ file: OptimFile<GroupSettings>, _ name: String) throws {
        let settings = file.settings
        let golden = try #require(settings.cases[name])
        let isSwin = name.contains("swin"), isMAE = name.contains("mae")
        let layers: LayerDecay =
            isSwin
            ? .simMIMSwin(depths: settings.swin_depths)
            : isMAE ? .maeViT(depth: settings.depth) : .simMIMViT(depth: settings.depth)
        let rule = DecayRule(
            excludesVectors: true, excludesBiases: !isMAE, names: golden.no_decay_names,
            keywords: golden.no_decay_keywords)
        let decay = isSwin ? settings.swin_layer_decay : settings.layer_decay
        #expect(golden.names.map(layers.layer) == (try file.integers("output/\(name)/layer_id")))
        #expect(
            zip(golden.names, golden.ndim).map { rule.decays($0, rank: $1) ? 1 : 0 }
                == (try file.integers("output/\(name)/decay")))
        expectClose(
            golden.names.map { Float(layers.scale(of: $0, decay: decay)) },
            try file.floats("output/\(name)/lr_scale"), "scales")
    }

    @Test(arguments: ParameterTable.all)
    func `SimMIM's groups are the reference's for every parameter of the model`(_ table: ParameterTable) throws {
        let config = table.finetune_config
        let layers: LayerDecay =
            table.isSwin
            ? .simMIMSwin(depths: try #require(config.depths)) : .simMIMViT(depth: try #require(config.depth))
        let rule: DecayRule = table.isSwin ? .simMIMSwin : .simMIMViT
        for parameter in table.finetune.parameters {
            #expect(layers.layer(of: parameter.name) == parameter.layer_id, "\(parameter.name)")
            let scale = layers.scale(of: parameter.name, decay: table.layer_decay)
            expectRelative(scale, parameter.lr_scale ?? 0, 1e-12, parameter.name)
            let decays = rule.decays(parameter.name, rank: parameter.shape.count)
            #expect(decays == (parameter.weight_decay != 0), "\(parameter.name)")
        }
        let pretraining = rule.inside("encoder.")
        for parameter in table.pretrain.parameters {
            let decays = pretraining.decays(parameter.name, rank: parameter.shape.count)
            #expect(decays == (parameter.weight_decay != 0), "\(parameter.name)")
        }
    }
}
