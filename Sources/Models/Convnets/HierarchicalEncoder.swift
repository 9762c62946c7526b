public import Autodiff
import Kernels
public import Layers

/// A convnet that computes active cells only and gives a map at each of its strides, each half the side of the one
/// before: what SparK needs. Over dense feature maps it is the ordinary convnet.
///
/// An own convnet is one file: a recipe with the layers listed under `kind: convnet`, or, where lists do not do, Swift
/// with its layers, `maps` and a section for recipes; `ResNet` is an example. Layers that mix all positions of an image
/// (squeeze-and-excitation, group and instance norm, global pooling inside the net) have no sparse form here: recipes
/// are refused, and Swift has none to call.
public protocol HierarchicalEncoder: Encoder {
    /// Channels of the maps, the largest map first. The last one is `grid`'s, whose stride is the side of a mask cell.
    var widths: [Int] { get }
    /// The norm on each map before it becomes dense.
    var densifyNorm: DensifyNorm { get }
    /// The maps of images (B, H, W, C), the largest first.
    func maps(_ images: Tensor, cells: ActiveCells) -> [GridRows]
}

/// A norm of SparK's own, of the kind that the encoder has.
public enum DensifyNorm: String, Sendable, CaseIterable, Decodable { case batch, layer }

extension HierarchicalEncoder {
    public var freshNames: [String] { ["fc_norm.", "norm."] }

    public func outputs(_ images: Tensor) -> [FeatureMap] {
        let maps = maps(images, cells: ActiveCells(all: images.shape[0], in: images.graph))
        return maps.enumerated().map { index, map in
            FeatureMap(index == maps.count - 1 ? "output" : "maps.\(index)", patches: map.rows)
        }
    }

    /// The mean of the last map over whole images, (B, F).
    func mean(_ images: Tensor) -> Tensor {
        let maps = maps(images, cells: ActiveCells(all: images.shape[0], in: images.graph))
        guard let last = maps.last else { preconditionFailure("an encoder has a map") }
        return MeanPooling(0..<last.side * last.side)(last.rows).feature(.pooled, "pooled")
    }
}

/// Dense feature maps for SparK's decoder from the active rows of an encoder: norm, a learned vector at every masked
/// position, a convolution to the decoder's width. Names follow keyu-tian/SparK: `densify_norms.i`, `mask_tokens.i`,
/// `densify_projs.i`, i = 0 the smallest map.
public struct Densify {
    private let scales: [Scale]

    private struct Scale {
        let norm: (Tensor) -> Tensor
        let token: Parameter
        let projection: Convolution?
    }

    /// - Parameters:
    ///   - widths: channels of the encoder's maps, the largest map first.
    ///   - width: channels of the decoder's smallest map.
    public init(_ scope: Scope, widths: [Int], norm: DensifyNorm, width: Int) {
        let sizes = Array(widths.reversed().enumerated())
        let norms: [(Tensor) -> Tensor] = sizes.map { index, channels in
            let scope = scope["densify_norms"][index]
            switch norm {
            case .batch:
                let norm = BatchNorm(scope, channels)
                return { norm($0) }
            case .layer:
                let norm = LayerNorm(scope, channels, epsilon: 1e-6)
                return { norm($0) }
            }
        }
        let projections: [Convolution?] = sizes.map { index, channels in
            if index == 0 && channels == width { return nil }
            let kernel = index == 0 ? 1 : 3
            // PyTorch's own initialization of a convolution.
            let initializer = Initializer.uniform(bound: 1 / Double(channels * kernel * kernel).squareRoot())
            return Convolution(
                scope["densify_projs"][index], channels, width >> index, .same(kernel), bias: true, init: initializer,
                biasInit: initializer)
        }
        scales = sizes.map { index, channels in
            // Cut at one standard deviation: the reference passes it as the bound.
            let initializer = Initializer.truncatedNormal(std: 0.02, cut: 0.02)
            let token = scope["mask_tokens"].parameter("\(index)", [1, channels, 1, 1], initializer)
            return Scale(norm: norms[index], token: token, projection: projections[index])
        }
    }

    /// - Parameter maps: the encoder's, the largest first.
    /// - Returns: the decoder's, the smallest first.
    public func callAsFunction(_ maps: [GridRows]) -> [GridRows] {
        zip(scales, maps.reversed()).map { scale, map in
            let normed = map.map(scale.norm)
            if normed.cells.mask == nil { return scale.projection?(normed) ?? normed }
            return scale.projection?(normed, filling: scale.token) ?? Densification.fill(normed, with: scale.token)
        }
    }
}
