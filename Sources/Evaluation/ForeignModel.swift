public import Checkpoints
import Models

/// A library whose models compute what ours do.
public enum ForeignLibrary: String, CaseIterable, Sendable {
    /// huggingface/pytorch-image-models.
    case timm
    /// microsoft/SimMIM, whose names ours are.
    case simmim
}

/// The counterpart of a model in another library: how it is built there and what it calls its parts.
public struct ForeignModel: Sendable {
    /// timm: a name for `create_model`; SimMIM: a class.
    public let architecture: String
    /// Keyword arguments that build this very model. Those that are the same for all of an architecture are left out,
    /// such as the norm's epsilon.
    public let arguments: [String: JSON]
    /// From our names to theirs.
    public let names: NameMap
    /// The first convolution and the head, by their names.
    public let firstConvolution, head: String
    /// How the features become one vector, in timm's words.
    public let pooling: String

    init(
        _ architecture: String, _ arguments: [String: JSON], names: [NameMap.Rule], head: String = "head",
        pooling: String
    ) {
        (self.architecture, self.arguments, self.names) = (architecture, arguments, NameMap(names))
        (self.head, self.pooling) = (head, pooling)
        firstConvolution = "patch_embed.proj"
    }

    /// - Parameters:
    ///   - classes: 0 for the encoder of a pretraining model.
    init(
        of encoder: any Encoder, image: ImageSpec, classes: Int, prefix: String, in library: ForeignLibrary
    ) throws(EvaluationError) {
        switch (encoder, library) {
        case (let encoder as VisionTransformer, .timm):
            self = try encoder.settings.timm(image, classes: classes, prefix: prefix)
        case (let encoder as VisionTransformer, .simmim): self = try encoder.settings.simMIM(image, classes: classes)
        default:
            throw .noCounterpart("\(type(of: encoder))", library.rawValue, reason: "its classes have no such encoder")
        }
    }

    /// Rules that leave a bare encoder: its tensors without the prefix, constant tables and what only pretraining needs.
    static func backbone(_ prefix: String) -> [NameMap.Rule] {
        let table = NameMap.Rule.ignore("**.relative_position_index")
        if prefix.isEmpty { return [table] }
        return [table, .ignore(prefix + "mask_token"), .ignore("decoder.**"), .dropPrefix(prefix)]
    }
}

extension VisionTransformer.Settings {
    private var common: [String: JSON] {
        var arguments: [String: JSON] = [
            "patch_size": .integer(patch), "embed_dim": .integer(width), "depth": .integer(depth),
            "num_heads": .integer(heads), "mlp_ratio": .number(mlpRatio), "qkv_bias": .bool(qkvBias != .none),
        ]
        if let layerScale { arguments["init_values"] = .number(layerScale) }
        return arguments
    }

    private func refusal(_ library: ForeignLibrary, _ reason: String) -> EvaluationError {
        .noCounterpart("this vit", library.rawValue, reason: reason)
    }

    /// Without a key bias timm's `Beit`, with one its `VisionTransformer`.
    fileprivate func timm(
        _ image: ImageSpec, classes: Int, prefix: String
    ) throws(EvaluationError) -> ForeignModel {
        var arguments = common
        arguments["img_size"] = .integer(image.side)
        // The encoder of a pretraining model norms all tokens and leaves pooling to its user.
        let pooling = classes == 0 || usesMeanPooling ? "avg" : "token"
        arguments["global_pool"] = .string(pooling)
        // timm passes over None, which would leave its own default; 0 means none.
        if layerScale == nil { arguments["init_values"] = .integer(0) }
        if classes == 0 && usesMeanPooling { throw refusal(.timm, "an encoder without its final norm") }
        let hasTables = usesBlockPositionBias || usesSharedPositionBias
        var names = ForeignModel.backbone(prefix)
        let size = VisionTransformer.Size.allCases.last { $0.width <= width } ?? .tiny
        guard qkvBias == .full else {
            arguments["use_abs_pos_emb"] = .bool(usesAbsolutePositions)
            arguments["use_rel_pos_bias"] = .bool(usesBlockPositionBias)
            arguments["use_shared_rel_pos_bias"] = .bool(usesSharedPositionBias)
            arguments["use_fc_norm"] = .bool(usesMeanPooling)
            return ForeignModel(
                size == .large ? "beit_large_patch16_224" : "beit_base_patch16_224", arguments, names: names,
                pooling: pooling)
        }
        if hasTables { throw refusal(.timm, "a key bias together with relative positions") }
        arguments["pos_embed"] = .string(usesAbsolutePositions ? "learn" : "none")
        arguments["fc_norm"] = .bool(usesMeanPooling)
        names += [
            .rename("blocks.*.gamma_1", "blocks.*.ls1.gamma"), .rename("blocks.*.gamma_2", "blocks.*.ls2.gamma"),
        ]
        return ForeignModel(
            "vit_\(size.rawValue)_patch16_224", arguments, names: names, pooling: pooling)
    }

    fileprivate func simMIM(_ image: ImageSpec, classes: Int) throws(EvaluationError) -> ForeignModel {
        if qkvBias == .full { throw refusal(.simmim, "a key bias") }
        var arguments = common
        arguments["img_size"] = .integer(image.side)
        arguments["num_classes"] = .integer(classes)
        arguments["use_abs_pos_emb"] = .bool(usesAbsolutePositions)
        arguments["use_rel_pos_bias"] = .bool(usesBlockPositionBias)
        arguments["use_shared_rel_pos_bias"] = .bool(usesSharedPositionBias)
        arguments["use_mean_pooling"] = .bool(usesMeanPooling)
        return ForeignModel(
            classes == 0 ? "VisionTransformerForSimMIM" : "VisionTransformer", arguments, names: [],
            pooling: usesMeanPooling ? "avg" : "token")
    }
}
