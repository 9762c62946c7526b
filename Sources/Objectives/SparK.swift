public import Autodiff
public import Batches
import Kernels
public import Layers
public import Models
public import Recipes

/// A convnet computes the visible cells only; its maps, filled up with learned vectors, go through a light decoder that
/// predicts the masked cells' pixels, normalised cell by cell. Source: arXiv 2301.03580, code keyu-tian/SparK.
public struct SparK: Objective {
    public static let kind = "spark"

    public struct Settings: RecipeSection, Equatable {
        /// Share of masked cells, 0...1.
        public let maskRatio: Double
        /// Channels of the decoder's smallest map.
        public let decoderWidth: Int

        public init(maskRatio: Double, decoderWidth: Int) {
            (self.maskRatio, self.decoderWidth) = (maskRatio, decoderWidth)
        }

        public static let meanings = [
            "mask_ratio": "Share of masked cells, above 0 to below 1; visible ones are rounded half to even.",
            "decoder_width": "Channels of the decoder's smallest map; 768 in the paper, 128 to 256 on processors.",
        ]

        public func check(_ here: Here) {
            here.require(
                maskRatio > 0 && maskRatio < 1, at: "mask_ratio", "between 0 and 1 expected, found \(maskRatio)")
            here.requirePositive(["decoder_width": decoderWidth])
        }
    }

    public let settings: Settings
    public static let encoderPrefix = "sparse_encoder.sp_cnn."
    public let input: InputSpec
    private let convnet: any HierarchicalEncoder
    private let decoder: LightDecoder
    private let densify: Densify

    public init(
        _ settings: Settings, _ model: any EncoderSettings, _ scope: Scope, _ input: InputSpec
    ) throws(ModelError) {
        let encoder = try model.encoder(scope["sparse_encoder"]["sp_cnn"], image: input.image, for: .pretraining)
        guard let convnet = encoder as? any HierarchicalEncoder else {
            throw ModelError(
                "model", found: "an encoder without maps of several sides", expected: "resnet, convnext or convnet",
                hint: "SparK masks cells of a convnet")
        }
        let doublings = convnet.grid.stride.trailingZeroBitCount
        guard convnet.grid.stride == 1 << doublings, settings.decoderWidth >> doublings >= 1 else {
            throw ModelError(
                "objective.decoder_width", found: "\(settings.decoderWidth)",
                expected: "at least the network's stride \(convnet.grid.stride), a power of two",
                hint: "the decoder halves its channels \(doublings) times")
        }
        decoder = LightDecoder(
            scope["dense_decoder"], width: settings.decoderWidth, doublings: doublings, channels: input.image.channels)
        densify = Densify(
            scope, widths: convnet.widths, norm: convnet.densifyNorm, width: settings.decoderWidth)
        self.settings = settings
        self.input = input
        self.convnet = convnet
    }

    public func inputs(_ graph: Graph, batch: Int) -> BatchTensors {
        let (image, cells) = (input.image, convnet.grid.side)
        return BatchTensors(
            images: graph.input("images", [batch, image.side, image.side, image.channels]),
            mask: graph.input("mask", [batch, cells, cells]))
    }

    public var encoder: any Encoder { convnet }

    /// The decoder's inputs, the smallest first, and its image (B, H·W, C) in units of each cell's deviation.
    /// - Parameter cells: those that the batch's mask shows.
    public func predict(_ images: Tensor, _ cells: ActiveCells) -> (maps: [GridRows], image: Tensor) {
        let maps = densify(convnet.maps(images, cells: cells))
        return (maps, decoder(maps).image.rows)
    }

    /// The visible cells of a batch whose images all show as many as the ratio leaves.
    private func cells(_ batch: BatchTensors) -> (mask: Tensor, cells: ActiveCells) {
        guard let mask = batch.mask else { preconditionFailure("SparK takes a mask with every batch") }
        return (mask, ActiveCells(mask: mask, visible: cellMasking.cells - cellMasking.maskedCells))
    }

    public func loss(_ batch: BatchTensors) -> Loss {
        let (mask, cells) = cells(batch)
        return loss(of: predict(batch.images, cells).image, batch.images, mask: mask)
    }

    /// - Parameter image: what `predict` gave for these images.
    public func loss(of image: Tensor, _ images: Tensor, mask: Tensor) -> Loss {
        Loss(sum: NormalisedCellLoss()(image, images, mask: mask), weight: MaskedCellCount()(mask))
    }

    public var masking: (any Masking)? { cellMasking }

    private var cellMasking: CellMasking {
        let side = convnet.grid.stride
        return CellMasking(
            imageSide: input.image.side, cellSide: side, patchSide: side, ratio: settings.maskRatio,
            rounding: .visibleEven)
    }

    public func reconstruction(_ batch: BatchTensors) -> PixelRows? {
        let side = convnet.grid.stride
        let image = predict(batch.images, cells(batch).cells).image
        return PixelRows(rows: DenormalisedCells(cell: side)(image, batch.images), side: side)
    }

    /// Keywords hold inside the encoder and outside of it.
    public var decay: DecayRule { convnet.weightDecay(for: .pretraining) }
}
