public import Autodiff
public import Batches
import Kernels
import Layers
public import Models
public import Recipes

/// Hidden patches are replaced by one learned vector, the encoder sees the whole grid, and one linear map predicts the
/// pixels under each feature: mean |x − x̂| over hidden pixels. Source: arXiv 2111.09886, code microsoft/SimMIM.
public struct SimMIM: Objective {
    public static let kind = "simmim"

    public struct Settings: RecipeSection, Equatable {
        /// Share of hidden cells, 0...1.
        public let maskRatio: Double
        /// Side of a cell that is hidden or shown as a whole, in pixels; a multiple of the encoder's patch.
        public let maskPatchSize: Int

        public init(maskRatio: Double, maskPatchSize: Int) {
            self.maskRatio = maskRatio
            self.maskPatchSize = maskPatchSize
        }

        public static let meanings = [
            "mask_ratio": "Share of hidden cells, above 0 to below 1.",
            "mask_patch_size": "Side of a cell that is hidden or shown as a whole, pixels.",
        ]

        public func check(_ here: Here) {
            here.require(
                maskRatio > 0 && maskRatio < 1, at: "mask_ratio", "between 0 and 1 expected, found \(maskRatio)")
            here.require(maskPatchSize >= 1, at: "mask_patch_size", "at least 1 pixel expected, found \(maskPatchSize)")
        }
    }

    public let settings: Settings
    public static let encoderPrefix = "encoder."
    private let masked: any MaskedEncoder
    public let input: InputSpec
    private let decoder: Linear

    public init(
        _ settings: Settings, _ model: any EncoderSettings, _ scope: Scope, _ input: InputSpec
    ) throws(ModelError) {
        let encoder = try model.encoder(scope["encoder"], image: input.image, for: .pretraining)
        guard let encoder = encoder as? any MaskedEncoder else {
            throw ModelError(
                "model", found: "an encoder without a mask token", expected: "vit or swin",
                hint: "SimMIM hides patches behind a learned vector")
        }
        try settings.check(input.image, patch: encoder.patch)
        let (grid, channels) = (encoder.grid, input.image.channels)
        // A 1×1 convolution and a pixel shuffle: outputs in the order (c, i, j) under each feature.
        let outputs = channels * grid.stride * grid.stride
        let start = Initializer.uniform(bound: 1 / Double(grid.width).squareRoot())
        decoder = Linear(
            weight: scope["decoder"][0].parameter("weight", [outputs, grid.width, 1, 1], start),
            bias: .full(scope["decoder"][0].parameter("bias", [outputs], start)))
        self.settings = settings
        masked = encoder
        self.input = input
    }

    public func inputs(_ graph: Graph, batch: Int) -> BatchTensors {
        let (image, cells) = (input.image, input.image.side / masked.patch)
        return BatchTensors(
            images: graph.input("images", [batch, image.side, image.side, image.channels]),
            mask: graph.input("mask", [batch, cells, cells]))
    }

    public var encoder: any Encoder { masked }

    /// The predicted pixels, (B, N, C·σ·σ) with one row per feature in the order (c, i, j).
    public func predict(_ batch: BatchTensors) -> Tensor { predict(from: features(batch)) }

    /// The encoder's last ones, (B, N, F).
    private func features(_ batch: BatchTensors) -> Tensor {
        guard let mask = batch.mask else { preconditionFailure("SimMIM takes a mask with every batch") }
        return masked.features(batch.images, mask: mask)
    }

    /// - Parameter features: the encoder's last ones, (B, N, F).
    public func predict(from features: Tensor) -> Tensor { decoder(features) }

    public func loss(_ batch: BatchTensors) -> Loss {
        let features = features(batch)
        var loss = loss(of: predict(from: features), batch)
        loss.features = features
        return loss
    }

    /// - Parameter pixels: what `predict` gave for this batch.
    public func loss(of pixels: Tensor, _ batch: BatchTensors) -> Loss {
        guard let mask = batch.mask else { preconditionFailure("SimMIM takes a mask with every batch") }
        let channels = input.image.channels
        let target = Patchify(patch: masked.grid.stride)(batch.images)
        return Loss(
            sum: MaskedPixelLoss(channels: channels)(pixels, target, mask: mask),
            weight: MaskedPixelCount(
                channels: channels, pixelsPerCell: masked.patch * masked.patch)(mask))
    }

    public var masking: (any Masking)? {
        CellMasking(
            imageSide: input.image.side, cellSide: settings.maskPatchSize, patchSide: masked.patch,
            ratio: settings.maskRatio)
    }
    public func reconstruction(_ batch: BatchTensors) -> PixelRows? {
        PixelRows(rows: predict(batch), side: masked.grid.stride)
    }
    public var decay: DecayRule { masked.weightDecay(for: .pretraining).inside(Self.encoderPrefix) }
}

extension SimMIM.Settings {
    func check(_ image: ImageSpec, patch: Int) throws(ModelError) {
        guard maskPatchSize > 0, image.side % maskPatchSize == 0, maskPatchSize % patch == 0 else {
            throw ModelError(
                "objective.mask_patch_size", found: "\(maskPatchSize)",
                expected: "a multiple of the patch \(patch) that divides the image side \(image.side)",
                hint: "cells are hidden as whole patches")
        }
        guard maskRatio >= 0, maskRatio <= 1 else {
            throw ModelError(
                "objective.mask_ratio", found: "\(maskRatio)", expected: "a share in 0...1",
                hint: "the reference hides 0.6")
        }
    }
}

extension SimMIM {
    /// Rules with the image and the model.
    public static func check(_ settings: Settings, _ recipe: Recipe, _ here: Here) {
        let size = recipe.images.size
        let all = here.recipe
        all.require(
            size % settings.maskPatchSize == 0, at: "objective.mask_patch_size", reading: ["images.size"],
            "\(settings.maskPatchSize) does not divide images.size \(size)")
        if let patch = recipe.model.integer("patch_size"), patch >= 1 {
            all.require(
                settings.maskPatchSize % patch == 0, at: "objective.mask_patch_size", reading: ["model.patch_size"],
                "\(settings.maskPatchSize) is no multiple of model.patch_size \(patch)")
        }
        // ceil(cells * ratio) cells are hidden: all of them would leave nothing to see.
        func cells() -> Double { Double((size / settings.maskPatchSize) * (size / settings.maskPatchSize)) }
        all.require(
            cells() == 0 || (cells() * settings.maskRatio).rounded(.up) < cells(), at: "objective.mask_ratio",
            reading: ["objective.mask_patch_size", "images.size"],
            "\(settings.maskRatio) hides all \(Int(cells())) cells of the image")
    }
}
