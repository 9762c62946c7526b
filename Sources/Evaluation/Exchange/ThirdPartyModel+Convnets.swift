import Checkpoints
import Models

// Our names are timm's for a ResNet, and those of facebookresearch/ConvNeXt, which keyu-tian/SparK has too.

extension ResNet: Exchangeable {
    /// A published depth.
    private func architecture(_ library: ThirdPartyLibrary) throws(EvaluationError) -> String {
        let size = Size.allCases.first { size in
            var published = Settings(size)
            published.dropPathRate = settings.dropPathRate
            return size != .small16 && published == settings
        }
        guard let size else {
            throw .noCounterpart("this resnet", library.rawValue, reason: "a shape of one's own")
        }
        return size.rawValue
    }

    func timm(_ image: ImageSpec, classes: Int, prefix: String) throws(EvaluationError) -> ThirdPartyModel {
        ThirdPartyModel(
            try architecture(.timm), [:], names: ThirdPartyModel.convnet(prefix), firstConvolution: "conv1", head: "fc",
            pooling: "avg")
    }

    func sparK(_ image: ImageSpec, classes: Int) throws(EvaluationError) -> ThirdPartyModel {
        .sparK(try architecture(.spark), image, classes: classes, firstConvolution: "conv1", head: "fc")
    }
}

extension ConvNeXt: Exchangeable {
    private func architecture(_ library: ThirdPartyLibrary) throws(EvaluationError) -> String {
        let size = Size.allCases.first { size in
            let published = Settings(size)
            return published.depths == settings.depths && published.widths == settings.widths
        }
        guard let size, settings.kernel == 7 else {
            throw .noCounterpart("this convnext", library.rawValue, reason: "a shape of one's own")
        }
        return "convnext_\(size.rawValue)"
    }

    func timm(_ image: ImageSpec, classes: Int, prefix: String) throws(EvaluationError) -> ThirdPartyModel {
        if classes == 0 {
            throw .noCounterpart(
                "this convnext", ThirdPartyLibrary.timm.rawValue,
                reason: "an encoder without its final norm; a classifier has one, and --for spark writes the encoder")
        }
        return ThirdPartyModel(
            try architecture(.timm), [:],
            names: [
                .rename("downsample_layers.0.*.*", "stem.*.*"),
                .rename("downsample_layers.*.*.*", "stages.*.downsample.*.*"),
                .rename("stages.*.*.gamma", "stages.*.blocks.*.gamma"),
                .rename("stages.*.*.dwconv.*", "stages.*.blocks.*.conv_dw.*"),
                .rename("stages.*.*.norm.*", "stages.*.blocks.*.norm.*"),
                .rename("stages.*.*.pwconv1.*", "stages.*.blocks.*.mlp.fc1.*"),
                .rename("stages.*.*.pwconv2.*", "stages.*.blocks.*.mlp.fc2.*"),
                .rename("norm.*", "head.norm.*"), .rename("head.weight", "head.fc.weight"),
                .rename("head.bias", "head.fc.bias"),
            ], firstConvolution: "stem.0", head: "head.fc", pooling: "avg")
    }

    func sparK(_ image: ImageSpec, classes: Int) throws(EvaluationError) -> ThirdPartyModel {
        .sparK(
            try architecture(.spark), image, classes: classes, firstConvolution: "downsample_layers.0.0", head: "head")
    }
}

extension ThirdPartyModel {
    /// Rules that leave a bare convnet.
    fileprivate static func convnet(_ prefix: String) -> [NameMap.Rule] {
        if prefix.isEmpty { return [] }
        return ["dense_decoder.**", "densify_norms.**", "densify_projs.**", "mask_tokens.**"].map(NameMap.Rule.ignore)
            + [.dropPrefix(prefix)]
    }

    /// A pretraining model whole, with three buffers that the reference declares and never reads.
    fileprivate static func sparK(
        _ architecture: String, _ image: ImageSpec, classes: Int, firstConvolution: String, head: String
    ) -> ThirdPartyModel {
        let vector = [1, image.channels, 1, 1]
        return ThirdPartyModel(
            architecture, [:], names: [], firstConvolution: firstConvolution, head: head, pooling: "avg",
            empty: classes > 0
                ? []
                : [
                    ("imn_m", vector), ("imn_s", vector),
                    ("norm_black", [1, image.channels, image.side, image.side]),
                ])
    }
}
