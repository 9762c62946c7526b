import Checkpoints
import Messages
import Models

extension SwinTransformer: Exchangeable {
    private var common: [String: JSON] {
        [
            "patch_size": .integer(settings.patch), "embed_dim": .integer(settings.width),
            "depths": .array(settings.depths.map(JSON.integer)), "num_heads": .array(settings.heads.map(JSON.integer)),
            "window_size": .integer(settings.window), "mlp_ratio": .number(settings.mlpRatio),
            "qkv_bias": .bool(settings.hasQKVBias),
        ]
    }

    func timm(_ image: ImageSpec, classes: Int, prefix: String) throws(EvaluationError) -> ThirdPartyModel {
        for (isOurs, reason) in [
            (settings.usesAbsolutePositions, "absolute positions"), (!settings.hasPatchNorm, "patches without a norm"),
            (settings.queryScale != nil, "a scale of queries"),
        ] where isOurs {
            throw .noCounterpart("this swin", ThirdPartyLibrary.timm.rawValue, reason: reason)
        }
        var arguments = common
        arguments["img_size"] = .integer(image.side)
        let size = Size.allCases.last { size in
            size != .micro && size.width <= settings.width && (size != .small || settings.depths == size.depths)
        }
        // Merging belongs to the stage after it. The last first: each finds the place behind it empty.
        let merges = settings.depths.indices.dropLast().reversed().map { stage in
            NameMap.Rule.rename("layers.\(stage).downsample.**", "layers.\(stage + 1).downsample.**")
        }
        return ThirdPartyModel(
            "swin_\((size ?? .tiny).rawValue)_patch4_window7_224", arguments,
            names: ThirdPartyModel.backbone(prefix) + merges + [.rename("head.*", "head.fc.*")], head: "head.fc",
            pooling: "avg")
    }

    func simMIM(_ image: ImageSpec, classes: Int) throws(EvaluationError) -> ThirdPartyModel {
        var arguments = common
        arguments["img_size"] = .integer(image.side)
        arguments["num_classes"] = .integer(classes)
        arguments["ape"] = .bool(settings.usesAbsolutePositions)
        arguments["patch_norm"] = .bool(settings.hasPatchNorm)
        if let scale = settings.queryScale { arguments["qk_scale"] = .number(scale) }
        return ThirdPartyModel(
            classes == 0 ? "SwinTransformerForSimMIM" : "SwinTransformer", arguments, names: [], pooling: "avg")
    }
}
