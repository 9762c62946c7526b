import Autodiff
import Kernels
import Layers
import Models
import Recipes

/// Patches, each through one residual MLP, and their mean: the smallest trainable encoder.
struct PatchNet: Encoder {
    let grid: FeatureGrid
    private let embedding: PatchEmbedding
    private let norm: LayerNorm
    private let mlp: MLP

    init(_ scope: Scope, _ settings: Settings, _ image: ImageSpec) {
        let (width, normal) = (settings.embedDim, Initializer.truncatedNormal(std: 0.02, cut: 2))
        grid = FeatureGrid(
            side: image.side / settings.patchSize, stride: settings.patchSize, width: width)
        embedding = PatchEmbedding(
            scope["patch_embed"], channels: image.channels, patch: settings.patchSize, width: width,
            init: normal)
        norm = LayerNorm(scope["blocks"][0]["norm"], width, epsilon: 1e-6)
        mlp = MLP(
            scope["blocks"][0]["mlp"], width, hidden: 2 * width, init: normal, outputInit: normal)
    }

    /// (B, N, E)
    private func features(_ images: Tensor) -> Tensor {
        let x = embedding(images)
        return Residual()(x, mlp(norm(x)), keep: nil).feature(.block, "blocks.0")
    }

    func outputs(_ images: Tensor) -> [FeatureMap] {
        [FeatureMap("output", patches: features(images))]
    }

    func pooled(_ images: Tensor) -> Tensor {
        MeanPooling(0..<grid.side * grid.side)(features(images)).feature(.pooled, "pooled")
    }

    let headInit = Initializer.truncatedNormal(std: 0.02, cut: 2)
    let layers = LayerDecay(last: 2) {
        $0.hasPrefix("patch_embed") ? 0 : $0.hasPrefix("blocks") ? 1 : 2
    }
    func weightDecay(for use: EncoderUse) -> DecayRule { .matrices }
}

extension PatchNet {
    /// The model section of a recipe with `kind: patch_net`.
    struct Settings: EncoderSettings {
        static let kind = "patch_net"

        let embedDim, patchSize: Int

        static let meanings = [
            "embed_dim": "Channels of a patch.", "patch_size": "Side of a patch, pixels.",
        ]

        func check(_ here: Here) {
            here.requirePositive(["embed_dim": embedDim, "patch_size": patchSize])
        }

        /// Rules with the image.
        func check(_ recipe: Recipe, _ here: Here) {
            here.recipe.require(
                recipe.images.size % patchSize == 0, at: "images.size", reading: ["model"],
                "a multiple of the patch \(patchSize) expected, found \(recipe.images.size)")
        }

        func encoder(
            _ scope: Scope, image: ImageSpec, for use: EncoderUse
        ) throws(ModelError) -> any Encoder {
            PatchNet(scope, self, image)
        }
    }
}
