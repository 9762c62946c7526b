public import Checkpoints
import Kernels

/// The tensors of a file of another library under our names: those of an encoder, and those around it.
public struct ThirdPartyWeights: Sendable {
    public let path: String
    /// Whose names the file has. Only where the two differ does it show; elsewhere they are SimMIM's and ours.
    public let library: ThirdPartyLibrary
    /// Steps done, where the file tells.
    public let step: Int
    public let parity: ParityVector?
    /// Names inside the encoder.
    public let encoder: [StoredTensor]
    /// The head of a classifier, the decoder of a pretraining model.
    public let others: [StoredTensor]
    /// Rows of the head; nil without one.
    public var classes: Int? { others.first { ["head.weight", "fc.weight"].contains($0.name) }?.shape.first }

    /// - Parameter library: whose names the file has; nil: as it says or as they look.
    public init(_ file: Safetensors, from library: ThirdPartyLibrary? = nil) throws(CheckpointError) {
        path = file.path
        let tables: [NameMap.Rule] = [
            .dropPrefix("module."), .ignore("**.relative_position_index"), .ignore("**.relative_coords_table"),
            .ignore("**.attn_mask"), .ignore("imn_m"), .ignore("imn_s"), .ignore("norm_black"),
        ]
        let bare = try NameMap(tables).apply(to: file.tensors)
        let library =
            library ?? file.metadata["library"].flatMap(ThirdPartyLibrary.init) ?? Self.library(of: bare.map(\.name))
        self.library = library
        let tensors = library == .timm ? try Self.timm(bare.map(\.name)).apply(to: bare) : bare
        let prefixes = ["encoder.", "sparse_encoder.sp_cnn."]
        if let prefix = prefixes.first(where: { prefix in tensors.contains { $0.name.hasPrefix(prefix) } }) {
            encoder = try NameMap([.dropPrefix(prefix)]).apply(to: tensors.filter { $0.name.hasPrefix(prefix) })
            others = tensors.filter { !$0.name.hasPrefix(prefix) }
        } else {
            encoder = tensors.filter { !Self.isHead($0.name) }
            others = tensors.filter { Self.isHead($0.name) }
        }
        step = file.metadata["step"].flatMap { Int($0) } ?? 0
        parity = ParityVector(metadata: file.metadata)
    }

    private static func isHead(_ name: String) -> Bool { name.hasPrefix("head.") || name.hasPrefix("fc.") }

    /// timm's Swin merges patches at the start of a stage, the others at the end of the one before.
    private static func library(of names: [String]) -> ThirdPartyLibrary {
        let merges = stages(names)
        if !merges.isEmpty { return merges.contains(0) ? .simmim : .timm }
        let signs = ["head.fc.*", "blocks.*.ls1.gamma", "blocks.*.attn.qkv.bias", "stem.0.weight"].map(NamePattern.init)
        return names.contains { name in signs.contains { $0.match(name) != nil } } ? .timm : .simmim
    }

    /// Stages of a Swin that merge patches.
    private static func stages(_ names: [String]) -> Set<Int> {
        let merge = NamePattern("layers.*.downsample.reduction.weight")
        return Set(names.compactMap { name in merge.match(name)?[0].first.flatMap { Int($0) } })
    }

    private static func timm(_ names: [String]) -> NameMap {
        // The lowest first: each finds the place before it empty.
        let merges = stages(names).filter { $0 > 0 }.sorted().map { stage in
            NameMap.Rule.rename("layers.\(stage).downsample.**", "layers.\(stage - 1).downsample.**")
        }
        return NameMap(
            merges + [
                .rename("head.fc.*", "head.*"), .rename("head.norm.*", "norm.*"),
                .rename("blocks.*.ls1.gamma", "blocks.*.gamma_1"), .rename("blocks.*.ls2.gamma", "blocks.*.gamma_2"),
                // ConvNeXt
                .rename("stem.*.*", "downsample_layers.0.*.*"),
                .rename("stages.*.downsample.*.*", "downsample_layers.*.*.*"),
                .rename("stages.*.blocks.*.conv_dw.*", "stages.*.*.dwconv.*"),
                .rename("stages.*.blocks.*.mlp.fc1.*", "stages.*.*.pwconv1.*"),
                .rename("stages.*.blocks.*.mlp.fc2.*", "stages.*.*.pwconv2.*"),
                .rename("stages.*.blocks.*.**", "stages.*.*.**"),
            ])
    }
}
