public import Autodiff
import Kernels
public import Layers

/// The decoder of masked token modelling: from the encoder's latent tokens to the scores of all codes at every place.
/// Masked places enter as copies of the decoded class token. Names follow naver-ai/seit, whose fixed
/// `decoder_pos_embed` is stored and read by nothing.
public struct TokenDecoder {
    public struct Settings: Sendable, Equatable {
        public let width, depth, heads: Int
        /// Drop rate of attention, branches and hidden values, 0..<1.
        public let dropout: Double

        public init(width: Int, depth: Int, heads: Int, dropout: Double) {
            (self.width, self.depth, self.heads, self.dropout) = (width, depth, heads, dropout)
        }
    }

    private let embedding: Linear
    private let positions: PositionTable
    private let blocks: [TokenBlock]
    private let norm: LayerNorm
    private let head: TokenHead
    private let places: Range<Int>

    /// - Parameters:
    ///   - grid: the encoder's grid.
    ///   - codes: the encoder's embedding, with which the head compares.
    public init(_ scope: Scope, _ settings: Settings, _ grid: FeatureGrid, codes: TokenEmbedding) {
        let tokens = grid.side * grid.side + 1
        places = 1..<tokens
        func initializer(_ inputs: Int, _ outputs: Int) -> Initializer {
            .uniform(bound: (6 / Double(inputs + outputs)).squareRoot())
        }
        embedding = Linear(
            scope["decoder_embed"], grid.width, settings.width, init: initializer(grid.width, settings.width))
        _ = scope.fixed(
            "decoder_pos_embed", [1, tokens, settings.width],
            SinCosPositions.table(grid: grid.side, width: settings.width))
        positions = PositionTable(
            scope, name: "decoder_pos_embed_learned", tokens: tokens, channels: settings.width, init: .zeros)
        blocks = (0..<settings.depth).map { index in
            TokenBlock(
                scope["decoder_blocks"][index], width: settings.width, heads: settings.heads, init: initializer,
                dropout: settings.dropout)
        }
        norm = LayerNorm(scope["decoder_norm"], settings.width, epsilon: TokenBlock.epsilon)
        let outputs = grid.stride * grid.stride * codes.width
        head = TokenHead(
            scope["mlm_layer"], width: settings.width, patch: grid.stride, codes: codes,
            init: initializer(settings.width, outputs))
    }

    /// (B, L·P², K), patch by patch and row by row inside one.
    /// - Parameters:
    ///   - latent: (B, 1 + kept, E).
    ///   - mask: a `TokenMaskState` for each token, (B, …).
    public func callAsFunction(_ latent: Tensor, mask: Tensor) -> Tensor {
        var x = positions(MaskedTokenRows(.putBack)(embedding(latent), mask: mask))
        for block in blocks { x = x.graph.block { block(x) } }
        // The class token predicts nothing; leaving it out before the head gives the same scores.
        return head(TokenRange(places)(norm(x)))
    }
}

/// fc → GELU → norm → scores of the codes, a vector for each token of a patch.
private struct TokenHead {
    private let fc: Linear
    private let activation: BiasGELU
    private let norm: LayerNorm
    private let scores: CodeScores
    private let tokens: Int

    init(_ scope: Scope, width: Int, patch: Int, codes: TokenEmbedding, init initializer: Initializer) {
        tokens = patch * patch
        let outputs = tokens * codes.width
        fc = Linear(weight: scope["fc"].parameter("weight", [outputs, width], initializer), bias: .none)
        activation = BiasGELU(scope["fc"].parameter("bias", [outputs], .zeros))
        norm = LayerNorm(scope["ln"], codes.width, epsilon: 1e-5)  // PyTorch's default, unlike the blocks
        scores = CodeScores(scope, codes)
    }

    /// (B, L, E) to (B, L·P², K).
    func callAsFunction(_ x: Tensor) -> Tensor {
        let vectors = activation(fc(x))
        let (B, L, C) = (vectors.shape[0], vectors.shape[1], vectors.shape[2])
        return scores(norm(Reshape([B, L * tokens, C / tokens])(vectors)))
    }
}
