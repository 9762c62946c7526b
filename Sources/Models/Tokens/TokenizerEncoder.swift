public import Autodiff
import Kernels
import Layers
public import Recipes

/// The encoder of the tokenizer: patches, fixed sines and cosines of their positions, and a `TokenizerStack`.
/// Source: arXiv 2110.04627, names of thuanz123/enhancing-transformers.
public struct TokenizerEncoder: Encoder {
    /// The model section of a recipe with `kind: vq_vit`: encoder and decoder of the tokenizer, which have the same
    /// sizes.
    public struct Settings: EncoderSettings, Equatable {
        public static let kind = "vq_vit"

        private let embedDim, depth, numHeads, headDim, hidden: Int
        /// Side of a patch in pixels: a token each.
        public let patch: Int

        public init(_ sizes: TokenizerStack.Sizes, patch: Int) {
            (embedDim, depth, numHeads) = (sizes.width, sizes.depth, sizes.heads)
            (headDim, hidden, self.patch) = (sizes.headWidth, sizes.hidden, patch)
        }

        private enum CodingKeys: String, CodingKey {
            case embedDim, depth, numHeads, headDim, hidden
            case patch = "patch_size"
        }

        public var sizes: TokenizerStack.Sizes {
            .init(width: embedDim, depth: depth, heads: numHeads, headWidth: headDim, hidden: hidden)
        }

        public static let defaults = ["head_dim": "64"]
        public static let meanings = [
            "embed_dim": "Channels of a token inside encoder and decoder, a multiple of 4.",
            "depth": "Layers of the encoder, and as many of the decoder.",
            "num_heads": "Heads of the attention.",
            "head_dim": "Channels of a head.",
            "hidden": "Channels inside the MLP.",
            "patch_size": "Side of a patch, pixels: a token each.",
        ]

        public func check(_ here: Here) {
            here.requirePositive([
                "embed_dim": embedDim, "depth": depth, "num_heads": numHeads, "head_dim": headDim, "hidden": hidden,
                "patch_size": patch,
            ])
            here.require(embedDim % 4 == 0, at: "embed_dim", "a multiple of 4 expected, found \(embedDim)")
        }

        public func check(_ recipe: Recipe, _ here: Here) { here.requirePatches(of: patch, recipe) }

        public func encoder(_ scope: Scope, image: ImageSpec, for use: EncoderUse) throws(ModelError) -> any Encoder {
            try TokenizerEncoder(scope, self, image: image)
        }

        public var lineage: [String: String] {
            ["num_heads": "\(sizes.heads)", "head_dim": "\(sizes.headWidth)", "patch_size": "\(patch)"]
        }
    }

    public let settings: Settings
    public let grid: FeatureGrid
    private let patchify: Patchify
    private let embedding: Linear
    private let positions: PositionTable
    private let stack: TokenizerStack

    public init(_ scope: Scope, _ settings: Settings, image: ImageSpec) throws(ModelError) {
        let patches = try PatchGrid(image, patch: settings.patch)
        let width = settings.sizes.width
        guard width % 4 == 0 else {
            throw ModelError(
                "model.embed_dim", found: "\(width)", expected: "a multiple of 4",
                hint: "positions are sines and cosines of rows and columns")
        }
        self.settings = settings
        grid = patches.features(width: width)
        patchify = Patchify(patch: settings.patch)
        let place = scope["to_patch_embedding"][0]
        embedding = Linear(
            weight: place.parameter(
                "weight", [width, image.channels, settings.patch, settings.patch], .xavier(patches.floats, width)),
            bias: .full(place.parameter("bias", [width], .framework(inputs: patches.floats))))
        positions = .sinCos(scope, "en_pos_embedding", side: patches.rows, width: width)
        stack = TokenizerStack(scope["transformer"], settings.sizes)
    }

    /// (B, H, W, C) to (B, n·n, E).
    public func callAsFunction(_ images: Tensor) -> Tensor { stack(positions(embedding(patchify(images)))) }

    public func outputs(_ images: Tensor) -> [FeatureMap] {
        let outputs = stack.outputs(positions(embedding(patchify(images))))
        return outputs.enumerated().map { index, patches in
            FeatureMap(index == outputs.count - 1 ? "output" : "layers.\(index)", patches: patches)
        }
    }

    public func pooled(_ images: Tensor) -> Tensor { MeanPooling(0..<grid.side * grid.side)(self(images)) }
    public var headInit: Initializer { .framework(inputs: grid.width) }
    public var layers: LayerDecay { LayerDecay(last: 0) { _ in 0 } }
    /// The references give every tensor weight decay.
    public func weightDecay(for use: EncoderUse) -> DecayRule { .everything }
}

/// The way back: positions, a `TokenizerStack`, and a patch of pixels from every token, (B, n·n, E) to (B, n·n, C·p·p)
/// in the order (c, i, j). No function follows, so pixels may lie outside 0...1.
public struct TokenizerDecoder {
    private let positions: PositionTable
    private let stack: TokenizerStack
    private let pixels: PatchDeconvolution

    public init(_ scope: Scope, _ settings: TokenizerEncoder.Settings, side: Int, channels: Int) {
        let (width, patch) = (settings.sizes.width, settings.patch)
        let outputs = channels * patch * patch
        positions = .sinCos(scope, "de_pos_embedding", side: side, width: width)
        stack = TokenizerStack(scope["transformer"], settings.sizes)
        // PyTorch counts the inputs of a transposed convolution by its outputs.
        pixels = PatchDeconvolution(
            scope["to_pixel"][1], width, channels: channels, patch: patch, init: .xavier(outputs, width),
            biasInit: .framework(inputs: outputs))
    }

    public func callAsFunction(_ tokens: Tensor) -> Tensor { pixels(stack(positions(tokens))) }
}

extension PositionTable {
    /// Fixed sines and cosines of a grid without a class token.
    static func sinCos(_ scope: Scope, _ name: String, side: Int, width: Int) -> PositionTable {
        PositionTable(
            scope, fixed: name, tokens: side * side, channels: width,
            Array(SinCosPositions.table(grid: side, width: width).dropFirst(width)))
    }
}
