public import Autodiff
import Kernels
import Layers

/// TokenAdapt: f turns grids of code vectors into feature maps of twice the side, on which the augmentations of images
/// make sense, and g turns such maps into scores of codes. Both are small transformers of the tokenizer's kind. Names
/// follow naver-ai/seit. Source: arXiv 2312.10105.
public struct TokenAdapt {
    public struct Settings: Sendable, Equatable {
        public var sizes: TokenizerStack.Sizes
        /// K and D.
        public var codes, width: Int
        /// n and m: sides of the stored grid and of the model's.
        public var stored, size: Int

        public init(_ sizes: TokenizerStack.Sizes, codes: Int, width: Int, stored: Int, size: Int) {
            self.sizes = sizes
            (self.codes, self.width, self.stored, self.size) = (codes, width, stored, size)
        }
    }

    public let settings: Settings
    private let entry: Linear
    private let decoder: TokenizerDecoder
    /// The first part of g.
    public let encoder: TokenizerEncoder
    private let head: Linear

    /// Feature positions along the side of a token.
    public static let patch = 2

    /// Name of the codebook that a trained network belongs to, kept with its weights: rows beyond the set's codes are
    /// 0.
    public static let codebookName = "codebook"

    public init(_ scope: Scope, _ settings: Settings) throws(ModelError) {
        self.settings = settings
        let (conversion, reverse) = (scope["conversion_function"], scope["reverse_transform"])
        let stack = TokenizerEncoder.Settings(settings.sizes, patch: Self.patch)
        entry = .framework(conversion[0], settings.width, settings.sizes.width)
        decoder = TokenizerDecoder(conversion[1], stack, side: settings.stored, channels: settings.width)
        encoder = try TokenizerEncoder(
            reverse[0], stack, image: ImageSpec(side: Self.patch * settings.size, channels: settings.width))
        head = .framework(reverse[1], settings.sizes.width, settings.codes)
        _ = scope.buffer(Self.codebookName, [settings.codes, settings.width], .zeros)
    }

    /// f: (B, n, n, D) to (B, 2n, 2n, D).
    public func features(_ maps: Tensor) -> Tensor {
        let rows = Reshape([maps.shape[0], settings.stored * settings.stored, settings.width])(maps)
        return Unpatchify(patch: Self.patch)(decoder(entry(rows)))
    }

    /// g: (B, 2m, 2m, D) to the scores of all codes, (B, m·m, K).
    public func scores(_ features: Tensor) -> Tensor { head(encoder(features)) }
}
