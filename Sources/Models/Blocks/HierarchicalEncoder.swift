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
