public import Autodiff
public import Batches
import Kernels
import Layers
public import Models
public import Recipes

/// Masked token modelling: the encoder sees a part of a grid of ids, a decoder predicts the ids of the masked patches, mean
/// cross entropy over these. Source: arXiv 2312.10105, code naver-ai/seit.
public struct MaskedTokens: Objective {
    public static let kind = "mtm"

    public struct Settings: RecipeSection, Equatable {
        public enum Form: String, CaseIterable, Decodable, Sendable {
            case crossEntropy = "cross_entropy"
            case binary
        }

        /// The share of masked patches: a normal distribution cut to a range. The least share is dropped.
        public let maskRatioMin, maskRatioMax, maskRatioMu, maskRatioStd: Double
        public let loss: Form
        public let labelSmoothing: Double
        public let decoderEmbedDim, decoderDepth, decoderNumHeads: Int
        public let decoderDropout: Double

        public init(
            ratios: ClosedRange<Double>, maskRatioMu: Double, maskRatioStd: Double, loss: Form = .crossEntropy,
            labelSmoothing: Double = 0, decoder: TokenDecoder.Settings
        ) {
            (maskRatioMin, maskRatioMax) = (ratios.lowerBound, ratios.upperBound)
            (self.maskRatioMu, self.maskRatioStd) = (maskRatioMu, maskRatioStd)
            (self.loss, self.labelSmoothing) = (loss, labelSmoothing)
            (decoderEmbedDim, decoderDepth, decoderNumHeads) = (decoder.width, decoder.depth, decoder.heads)
            decoderDropout = decoder.dropout
        }

        public static let defaults = ["loss": "cross_entropy", "label_smoothing": "0"]
        public static let meanings = [
            "mask_ratio_min":
                "Least share of masked patches, above 0; so many are dropped: the encoder sees the others.",
            "mask_ratio_max": "Greatest share of masked patches, up to 1.",
            "mask_ratio_mu": "Centre of the normal distribution of the share, before it is cut; drawn for each update.",
            "mask_ratio_std": "Its standard deviation.",
            "loss": "cross_entropy over all codes, or binary: one question for each code, mean over codes.",
            "label_smoothing": "Share of a target that is spread over all codes, 0 to below 1.",
            "decoder_embed_dim": "Channels of the decoder.",
            "decoder_depth": "Blocks of the decoder.",
            "decoder_num_heads": "Attention heads of the decoder.",
            "decoder_dropout": "Share of the decoder's values left out in training, 0 to below 1.",
        ]

        public func check(_ here: Here) {
            here.require(
                maskRatioMin > 0 && maskRatioMin < maskRatioMax && maskRatioMax <= 1, at: "mask_ratio_min",
                reading: ["mask_ratio_max"], "shares 0 < mask_ratio_min < mask_ratio_max <= 1 expected")
            here.require(maskRatioStd > 0, at: "mask_ratio_std", "more than 0 expected, found \(maskRatioStd)")
            here.requirePositive([
                "decoder_embed_dim": decoderEmbedDim, "decoder_depth": decoderDepth,
                "decoder_num_heads": decoderNumHeads,
            ])
            here.require(
                decoderNumHeads >= 1 && decoderEmbedDim % decoderNumHeads == 0 && decoderEmbedDim % 4 == 0,
                at: "decoder_num_heads",
                reading: ["decoder_embed_dim"],
                "\(decoderNumHeads) heads do not divide the \(decoderEmbedDim) channels, or that is no multiple of 4")
            for (key, rate) in [("label_smoothing", labelSmoothing), ("decoder_dropout", decoderDropout)] {
                here.require((0..<1).contains(rate), at: key, "0 to below 1 expected, found \(rate)")
            }
        }

        var decoder: TokenDecoder.Settings {
            .init(width: decoderEmbedDim, depth: decoderDepth, heads: decoderNumHeads, dropout: decoderDropout)
        }

        var share: TruncatedNormal {
            TruncatedNormal(
                mu: maskRatioMu, std: maskRatioStd, range: maskRatioMin...maskRatioMax)
        }
    }

    public let settings: Settings
    /// Names of encoder and decoder stand side by side.
    public static let encoderPrefix = ""
    public let input: InputSpec
    private let tokens: TokenTransformer
    private let decoder: TokenDecoder

    public init(
        _ settings: Settings, _ model: any EncoderSettings, _ scope: Scope, _ input: InputSpec
    ) throws(ModelError) {
        let encoder = try model.encoder(scope, image: input.image, for: .pretraining)
        guard let tokens = encoder as? TokenTransformer, let codes = tokens.embedding else {
            throw ModelError(
                "model.kind", found: "an encoder of images", expected: TokenTransformer.Settings.kind,
                hint: "masked token modelling reads ids")
        }
        decoder = TokenDecoder(scope, settings.decoder, tokens.grid, codes: codes)
        (self.settings, self.input, self.tokens) = (settings, input, tokens)
    }

    public var encoder: any Encoder { tokens }

    public var masking: (any Masking)? { tokenMasking }

    private var tokenMasking: TokenMasking { TokenMasking(settings.share, side: tokens.grid.side) }

    public func inputs(_ graph: Graph, batch: Int) -> BatchTensors {
        let (side, grid) = (input.image.side, tokens.grid.side)
        return BatchTensors(
            images: graph.input("tokens", [batch, side, side, 1]), mask: graph.input("mask", [batch, grid, grid]))
    }

    /// The encoder's tokens that are not dropped, (B, 1 + kept, E), and the scores of all codes, (B, L·P², K).
    public func predict(_ batch: BatchTensors) -> (latent: Tensor, scores: Tensor) {
        guard let mask = batch.mask else {
            preconditionFailure("masked token modelling takes a mask with every batch")
        }
        let masking = tokenMasking
        let latent = tokens.latent(batch.images, mask: mask, kept: masking.cells - masking.dropped)
        return (latent, decoder(latent, mask: mask))
    }

    public func loss(_ batch: BatchTensors) -> Loss {
        let (latent, scores) = predict(batch)
        var loss = loss(of: scores, batch)
        loss.features = latent
        return loss
    }

    /// - Parameter scores: what `predict` gave for this batch.
    public func loss(of scores: Tensor, _ batch: BatchTensors) -> Loss {
        guard let mask = batch.mask else { preconditionFailure("no mask") }
        let form: MaskedCodeLoss.Form =
            settings.loss == .binary ? .binary : .crossEntropy(smoothing: settings.labelSmoothing)
        return Loss(
            sum: MaskedCodeLoss(form, patch: tokens.grid.stride)(scores, batch.images, mask: mask),
            weight: MaskedTokenCount()(mask))
    }

    public var decay: DecayRule { tokens.weightDecay(for: .pretraining) }
}
