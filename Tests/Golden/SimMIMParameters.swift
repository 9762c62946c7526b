import Autodiff
import FoundationEssentials
import Models
import Objectives
import Testing

/// A key list: names, order, shapes, layers, groups and buffers of a model before and after pre-training.
struct SimMIMKeys: Decodable, Sendable, CustomTestStringConvertible {
    struct Entry: Decodable, Sendable {
        let name: String
        let shape: [Int]
        let layer_id: Int?
        let lr_scale, weight_decay: Double?
    }
    struct Group: Decodable, Sendable {
        let lr_scale, weight_decay: Double
        let n: Int
    }
    struct Model: Decodable, Sendable {
        let n_params: Int
        let parameters, buffers: [Entry]
        let groups_in_order: [Group]?
    }

    let finetune_config, pretrain_config: SimMIMDescription
    let layer_decay, weight_decay: Double
    let num_layer_ids: Int
    let finetune, pretrain: Model

    var testDescription: String { "\(type(of: pretrain_config.settings)), \(pretrain.n_params) parameters" }

    static let all = SimMIMFile.names(endingIn: ".json").filter { $0.hasPrefix("params_") }.compactMap { name in
        FileManager.default.contents(atPath: "\(SimMIMFile.folder)/\(name)")
            .flatMap { try? JSONDecoder().decode(SimMIMKeys.self, from: $0) }
    }
}

@Suite struct SimMIMParameters {
    @Test(arguments: SimMIMKeys.all)
    func `a pre-training model has the reference's keys and decay`(_ keys: SimMIMKeys) throws {
        let (graph, config) = (Graph(), keys.pretrain_config.config)
        let objective = try SimMIM(
            .init(maskRatio: 0.6, maskPatchSize: config.mask_patch_size ?? config.patch_size),
            keys.pretrain_config.settings, graph.scope, config.input)
        compareKeys(graph, keys.pretrain)
        for (parameter, entry) in zip(graph.parameters, keys.pretrain.parameters) {
            #expect(decays(parameter, objective) == ((entry.weight_decay ?? 0) > 0), "\(entry.name)")
        }
    }

    @Test(arguments: SimMIMKeys.all)
    func `a classifier has the reference's keys, layers and groups`(_ keys: SimMIMKeys) throws {
        let graph = Graph()
        let objective = try Classification(
            .init(labelSmoothing: 0.1), keys.finetune_config.settings, graph.scope,
            keys.finetune_config.config.input)
        compareKeys(graph, keys.finetune)
        #expect(objective.layers.map { $0.last + 1 } == keys.num_layer_ids)
        for (parameter, entry) in zip(graph.parameters, keys.finetune.parameters) {
            #expect(objective.layers?.layer(of: parameter.name) == entry.layer_id, "\(entry.name)")
            #expect(decays(parameter, objective) == ((entry.weight_decay ?? 0) > 0), "\(entry.name)")
        }
        let groups = parameterGroups(graph, objective, layerDecay: keys.layer_decay)
        let expected = try #require(keys.finetune.groups_in_order)
        #expect(groups.map(\.names.count) == expected.map(\.n))
        #expect(groups.map(\.decays) == expected.map { $0.weight_decay > 0 })
        for (group, reference) in zip(groups, expected) {
            #expect(abs(group.scale - reference.lr_scale) <= 1e-12, "\(group.names[0])")
        }
    }

    private func compareKeys(_ graph: Graph, _ model: SimMIMKeys.Model) {
        #expect(graph.parameters.map(\.name) == model.parameters.map(\.name))
        #expect(graph.parameters.map(\.shape.extents) == model.parameters.map(\.shape))
        #expect(graph.parameters.reduce(0) { $0 + $1.shape.count } == model.n_params)
        #expect(graph.buffers.map(\.name) == model.buffers.map(\.name))
        #expect(graph.buffers.map(\.shape.extents) == model.buffers.map(\.shape))
    }
}

func decays(_ parameter: Parameter, _ objective: some Objective) -> Bool {
    objective.decay.decays(parameter.name, rank: parameter.shape.rank)
}

/// Groups by layer and decay in order of first appearance; without layer decay the decayed and the others.
func parameterGroups(
    _ graph: Graph, _ objective: some Objective, layerDecay: Double?
) -> [(names: [String], decays: Bool, scale: Double)] {
    var groups: [(names: [String], decays: Bool, scale: Double)] = []
    if layerDecay == nil { groups = [([], true, 1), ([], false, 1)] }
    for parameter in graph.parameters {
        let decays = decays(parameter, objective)
        let scale = layerDecay.flatMap { objective.layers?.scale(of: parameter.name, decay: $0) } ?? 1
        if let group = groups.firstIndex(where: { $0.decays == decays && $0.scale == scale }) {
            groups[group].names.append(parameter.name)
        } else {
            groups.append(([parameter.name], decays, scale))
        }
    }
    return groups
}
