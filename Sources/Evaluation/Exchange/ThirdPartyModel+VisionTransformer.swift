import Checkpoints
import Messages
import Models

extension VisionTransformer: Exchangeable {
    private var common: [String: JSON] {
        var arguments: [String: JSON] = [
            "patch_size": .integer(settings.patch), "embed_dim": .integer(settings.width),
            "depth": .integer(settings.depth), "num_heads": .integer(settings.heads),
            "mlp_ratio": .number(settings.mlpRatio), "qkv_bias": .bool(settings.qkvBias != .none),
        ]
        if let start = settings.layerScale { arguments["init_values"] = .number(start) }
        return arguments
    }

    private func refusal(_ library: ThirdPartyLibrary, _ reason: String) -> EvaluationError {
        .noCounterpart("this vit", library.rawValue, reason: reason)
    }

    /// Without a key bias timm's `Beit`, with one its `VisionTransformer`.
    func timm(_ image: ImageSpec, classes: Int, prefix: String) throws(EvaluationError) -> ThirdPartyModel {
        var arguments = common
        arguments["img_size"] = .integer(image.side)
        // timm passes over None, which would leave its own default; 0 means none.
        if settings.layerScale == nil { arguments["init_values"] = .integer(0) }
        // The encoder of a pretraining model norms all tokens and leaves pooling to its user.
        let pooling = classes == 0 || settings.usesMeanPooling ? "avg" : "token"
        arguments["global_pool"] = .string(pooling)
        if classes == 0 && settings.usesMeanPooling { throw refusal(.timm, "an encoder without its final norm") }
        let names = ThirdPartyModel.backbone(prefix)
        let size = Size.allCases.last { $0 != .micro && $0.width <= settings.width } ?? .tiny
        guard settings.qkvBias == .full else {
            arguments["use_abs_pos_emb"] = .bool(settings.usesAbsolutePositions)
            arguments["use_rel_pos_bias"] = .bool(settings.usesBlockPositionBias)
            arguments["use_shared_rel_pos_bias"] = .bool(settings.usesSharedPositionBias)
            arguments["use_fc_norm"] = .bool(settings.usesMeanPooling)
            return ThirdPartyModel(
                size == .large ? "beit_large_patch16_224" : "beit_base_patch16_224", arguments, names: names,
                pooling: pooling)
        }
        if settings.usesBlockPositionBias || settings.usesSharedPositionBias {
            throw refusal(.timm, "a key bias together with relative positions")
        }
        arguments["pos_embed"] = .string(settings.usesAbsolutePositions ? "learn" : "none")
        arguments["fc_norm"] = .bool(settings.usesMeanPooling)
        let scales: [NameMap.Rule] = [
            .rename("blocks.*.gamma_1", "blocks.*.ls1.gamma"), .rename("blocks.*.gamma_2", "blocks.*.ls2.gamma"),
        ]
        return ThirdPartyModel("vit_\(size.rawValue)_patch16_224", arguments, names: names + scales, pooling: pooling)
    }

    func simMIM(_ image: ImageSpec, classes: Int) throws(EvaluationError) -> ThirdPartyModel {
        if settings.qkvBias == .full { throw refusal(.simmim, "a key bias") }
        var arguments = common
        arguments["img_size"] = .integer(image.side)
        arguments["num_classes"] = .integer(classes)
        arguments["use_abs_pos_emb"] = .bool(settings.usesAbsolutePositions)
        arguments["use_rel_pos_bias"] = .bool(settings.usesBlockPositionBias)
        arguments["use_shared_rel_pos_bias"] = .bool(settings.usesSharedPositionBias)
        arguments["use_mean_pooling"] = .bool(settings.usesMeanPooling)
        return ThirdPartyModel(
            classes == 0 ? "VisionTransformerForSimMIM" : "VisionTransformer", arguments, names: [],
            pooling: settings.usesMeanPooling ? "avg" : "token")
    }
}
