public import Autodiff
import Kernels
import Layers

/// The decoder of CRATE-MAE over the encoder's tokens, class token included: (B, N + 1, d) to the pixels of each patch,
/// (B, N, p²·C), in the order (row, column, channel). `decoder_embed` is stored and read by nothing, so the decoder is
/// as wide as the encoder. Names follow Ma-Lab-Berkeley/CRATE.
public struct CRATEDecoder {
    /// The values on the way.
    public struct Decoding {
        /// Values of each layer: after its linear map and at its end, (B, N + 1, d).
        public let layers: [(linear: Tensor, output: Tensor)]
        /// Tokens after the last norm, (B, N + 1, d).
        public let normed: Tensor
        public let pixels: Tensor
    }

    private let layers: [CRATEDecoderLayer]
    private let norm: LayerNorm
    private let prediction: Linear
    private let patches: PatchGrid

    public init(_ scope: Scope, _ sizes: CRATESizes, _ patches: PatchGrid) {
        _ = LinearInit.xavier.linear(scope["decoder_embed"], sizes.width, sizes.width)
        layers = (0..<sizes.depth).map { index in
            CRATEDecoderLayer(scope["decoder_blocks"][index]["layers"][0], sizes, init: .xavier)
        }
        norm = LayerNorm(scope["decoder_norm"], sizes.width, epsilon: MaskedCRATE.epsilon)
        prediction = LinearInit.xavier.linear(scope["decoder_pred"], sizes.width, patches.floats)
        self.patches = patches
    }

    public func callAsFunction(_ latent: Tensor) -> Decoding {
        var values: [(linear: Tensor, output: Tensor)] = []
        for layer in layers { values.append(layer(values.last?.output ?? latent)) }
        let normed = norm(values.last?.output ?? latent)
        // The class token predicts nothing; leaving it out before the map gives the same pixels.
        return Decoding(
            layers: values, normed: normed, pixels: prediction(TokenRange(1..<patches.count + 1)(normed)))
    }
}
