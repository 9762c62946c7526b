public import Autodiff
public import Batches
import Kernels
import Layers
public import Models
public import Recipes

/// Masked auto-encoding with CRATE: masked patches are replaced by one learned vector, encoder and decoder both see the
/// whole grid, and the pixels of masked patches are predicted: mean squared error per patch, mean over masked patches.
/// Source: arXiv 2404.02446, code Ma-Lab-Berkeley/CRATE.
public struct CRATEMAE: Objective {
    public static let kind = "crate_mae"

    public struct Settings: RecipeSection, Equatable {
        /// Share of masked patches, 0...1; floor(n·(1 − ratio)) stay visible.
        public let maskRatio: Double
        /// Pixels of each target patch get mean 0 and variance 1.
        public let normPixLoss: Bool
        /// Layers and subspaces of the decoder; without them those of the encoder.
        public let decoderDepth, decoderNumHeads: Int?

        public init(
            maskRatio: Double, normPixLoss: Bool, decoderDepth: Int? = nil, decoderNumHeads: Int? = nil
        ) {
            (self.maskRatio, self.normPixLoss) = (maskRatio, normPixLoss)
            (self.decoderDepth, self.decoderNumHeads) = (decoderDepth, decoderNumHeads)
        }

        public static let meanings = [
            "mask_ratio": "Share of masked patches, above 0 to below 1.",
            "norm_pix_loss": "Targets are the pixels of a patch less their mean, over their standard deviation.",
            "decoder_depth": "Layers of the decoder; absent: as many as the encoder has.",
            "decoder_num_heads": "Subspaces of the decoder's attention; absent: as many as the encoder has.",
        ]

        public func check(_ here: Here) {
            here.require(
                maskRatio > 0 && maskRatio < 1, at: "mask_ratio", "between 0 and 1 expected, found \(maskRatio)")
            here.requirePositive(["decoder_depth": decoderDepth, "decoder_num_heads": decoderNumHeads])
        }
    }

    public let settings: Settings
    /// Names of encoder and decoder stand side by side.
    public static let encoderPrefix = ""
    public let input: InputSpec
    private let masked: MaskedCRATE
    private let decoder: CRATEDecoder

    public init(
        _ settings: Settings, _ model: any EncoderSettings, _ scope: Scope, _ input: InputSpec
    ) throws(ModelError) {
        guard let model = model as? MaskedCRATE.Settings else {
            throw ModelError(
                "model.kind", found: "another encoder", expected: MaskedCRATE.Settings.kind,
                hint: "CRATE-MAE trains the encoder that is made for it")
        }
        masked = try MaskedCRATE(scope, model, image: input.image, for: .pretraining)
        let sizes = CRATESizes(
            width: model.sizes.width, depth: settings.decoderDepth ?? model.sizes.depth,
            heads: settings.decoderNumHeads ?? model.sizes.heads)
        decoder = CRATEDecoder(scope, sizes, masked.patches)
        (self.settings, self.input) = (settings, input)
    }

    public var encoder: any Encoder { masked }

    public func inputs(_ graph: Graph, batch: Int) -> BatchTensors {
        let image = input.image
        return BatchTensors(
            images: graph.input("images", [batch, image.side, image.side, image.channels]),
            mask: graph.input("mask", [batch, masked.patches.rows, masked.patches.columns]))
    }

    /// What encoder and decoder give for a batch.
    public func predict(_ batch: BatchTensors) -> (encoding: CRATEEncoding, decoding: CRATEDecoder.Decoding) {
        let encoding = masked.encode(batch.images, mask: mask(of: batch))
        return (encoding, decoder(encoding.output))
    }

    /// The pixels to be predicted, (B, N, p²·C) in the order (row, column, channel).
    public func target(_ batch: BatchTensors) -> Tensor {
        let pixels = patches(batch)
        return settings.normPixLoss ? NormalizedPatches()(pixels) : pixels
    }

    public func loss(_ batch: BatchTensors) -> Loss {
        loss(of: predict(batch).decoding.pixels, target(batch), batch)
    }

    /// - Parameter pixels: what `predict` gave for this batch.
    public func loss(of pixels: Tensor, _ target: Tensor, _ batch: BatchTensors) -> Loss {
        Loss(sum: MaskedSquaredError()(pixels, target, mask: mask(of: batch)), weight: Sum()(mask(of: batch)))
    }

    public var masking: (any Masking)? {
        CellMasking(
            imageSide: input.image.side, cellSide: masked.patch, patchSide: masked.patch, ratio: settings.maskRatio,
            rounding: Self.rounding)
    }

    public func reconstruction(_ batch: BatchTensors) -> PixelRows? {
        let pixels = predict(batch).decoding.pixels
        let restore = RestoredPixels(channels: input.image.channels)
        return PixelRows(
            rows: restore(pixels, like: settings.normPixLoss ? patches(batch) : nil), side: masked.patch)
    }

    public var decay: DecayRule { masked.weightDecay(for: .pretraining) }

    private func patches(_ batch: BatchTensors) -> Tensor {
        PixelPatches(height: masked.patch, width: masked.patch)(batch.images)
    }

    private func mask(of batch: BatchTensors) -> Tensor {
        guard let mask = batch.mask else { preconditionFailure("CRATE-MAE takes a mask with every batch") }
        return mask
    }
}

extension CRATEMAE {
    private static let rounding = CellMasking.Rounding.visibleDown

    /// Rules with the image and the model.
    public static func check(_ settings: Settings, _ recipe: Recipe, _ here: Here) {
        let all = here.recipe
        all.require(
            recipe.model.kind == MaskedCRATE.Settings.kind, at: "model.kind", reading: ["objective.kind"],
            "'\(MaskedCRATE.Settings.kind)' expected by this objective, found '\(recipe.model.kind)'")
        guard let patch = recipe.model.integer("patch_size"), patch >= 1 else { return }
        let cells = (recipe.images.size / patch) * (recipe.images.size / patch)
        // Nothing visible is legal in the reference, nothing masked has no loss.
        all.require(
            cells == 0 || rounding.masked(settings.maskRatio, of: cells) > 0, at: "objective.mask_ratio",
            reading: ["model.patch_size", "images.size"], "\(settings.maskRatio) masks none of \(cells) patches")
    }
}
