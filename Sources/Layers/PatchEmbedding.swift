public import Autodiff
import Kernels

/// A convolution whose stride is its kernel: (B, H, W, C) to (B, H/p·W/p, E), tokens row-major.
/// Names follow timm: `proj.weight` [E, C, p, p], `proj.bias` [E].
public struct PatchEmbedding {
    private let patchify: Patchify
    private let projection: Linear

    public init(
        _ scope: Scope, channels: Int, patch: Int, width: Int, init initializer: Initializer,
        biasInit: Initializer = .zeros
    ) {
        patchify = Patchify(patch: patch)
        projection = Linear(
            weight: scope["proj"].parameter("weight", [width, channels, patch, patch], initializer),
            bias: .full(scope["proj"].parameter("bias", [width], biasInit)))
    }

    public func callAsFunction(_ images: Tensor) -> Tensor { projection(patchify(images)) }
}
