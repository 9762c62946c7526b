import Autodiff
import Kernels
import Layers
import Models
import Recipes

/// Which vectors of an encoder stand for an image.
public struct FeatureSpec: Sendable, Equatable {
    public enum Pool: String, Sendable, CaseIterable {
        /// Mean over the patch tokens of each block that is read.
        case mean
        /// The class token of each block that is read.
        case classToken = "class_token"
        /// The class token of each block that is read, then the mean over the patch tokens of the last one (DINOv2).
        case both
    }

    /// Number of the last block that is read, from 1; nil takes `EncoderOutputs.standardLayer`.
    public var layer: Int?
    /// Blocks that are read: that one and those before it.
    public var layers: Int
    public var pool: Pool

    public init(layer: Int? = nil, layers: Int = 1, pool: Pool = .mean) {
        (self.layer, self.layers, self.pool) = (layer, layers, pool)
    }

    /// The pieces of the feature vector, in order, recorded on the graph of `maps`.
    func pieces(
        _ maps: [FeatureMap], _ outputs: EncoderOutputs
    ) throws(EvaluationError) -> [(FeaturePiece, Tensor)] {
        let last = layer ?? outputs.standardLayer
        guard (1...maps.count).contains(last) else { throw .noLayer(last, depth: maps.count) }
        guard (1...last).contains(layers) else { throw .noLayers(layers, upTo: last) }
        let read = maps[last - layers..<last]
        var tensors: [(String, Tensor)] = []
        if pool != .mean {
            for map in read {
                guard let token = map.classToken else { throw .noClassToken }
                tensors.append(("\(map.name) \(FeaturePiece.classToken)", token))
            }
        }
        for map in pool == .mean ? read : pool == .both ? read.suffix(1) : [] {
            tensors.append(("\(map.name) mean", MeanPooling(0..<map.patches.shape[1])(map.patches)))
        }
        var end = 0
        return tensors.map { name, tensor in
            let start = end
            end += tensor.shape[1]
            return (FeaturePiece(name: name, columns: start..<end), tensor)
        }
    }
}

/// The features that an encoder offers.
public struct EncoderOutputs: Sendable, Equatable {
    /// Blocks.
    public let depth: Int
    public let hasClassToken: Bool
    /// The block that is read unless one is named, from 1. What predicts pixels best does not tell classes apart best:
    /// SimMIM probes block 8 of the 12 of its ViT-B, which is two thirds of the depth. Supervised encoders give their
    /// last. Source: arXiv 2111.09886, section 4.1.
    public let standardLayer: Int

    init(_ maps: [FeatureMap], kind: Recipe.Kind) {
        depth = maps.count
        hasClassToken = maps.allSatisfy { $0.classToken != nil }
        switch kind {
        case .pretrain, .tokenizer: standardLayer = (2 * depth + 2) / 3
        case .finetune: standardLayer = depth
        }
    }
}

/// A part of a feature vector.
public struct FeaturePiece: Sendable, Equatable {
    /// Such as `blocks.3 mean`.
    public let name: String
    public let columns: Range<Int>

    public init(name: String, columns: Range<Int>) { (self.name, self.columns) = (name, columns) }

    /// End of the name of a piece that is a class token.
    static let classToken = "class token"
}
