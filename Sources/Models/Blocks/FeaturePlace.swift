public import Autodiff
import Kernels

/// A feature of an encoder as it is known before anything is computed.
public struct FeaturePlace: Sendable, Equatable {
    /// Name inside the encoder.
    public let name: String
    public let kind: IntermediateFeature.Kind
    /// Vectors of an image; 1 for one vector per image.
    public let positions: Int
    public let channels: Int
    /// Positions before those of the patches.
    public let leadingTokens: Int
    /// The positions are those of the whole image, in one piece.
    public let isWhole: Bool
    /// Whether the preset `reference` takes it.
    public let isReference: Bool
    /// Norms on the way to it.
    public let normsBefore: Int
}

extension EncoderSettings {
    /// The places at which such an encoder can be compared with another one, in the order in which it runs.
    public func featurePlaces(_ image: ImageSpec) throws(ModelError) -> [FeaturePlace] {
        let graph = Graph()
        let encoder = try encoder(graph.scope, image: image, for: .classification)
        let patches = encoder.grid.side * encoder.grid.side
        let images = graph.input("images", [1, image.side, image.side, encoder.inputChannels(image)])
        var places: [FeaturePlace] = []
        graph.watching { feature in
            let shape = feature.value.shape
            let positions = shape.count / shape.channels
            places.append(
                FeaturePlace(
                    name: feature.name, kind: feature.kind, positions: positions, channels: shape.channels,
                    leadingTokens: positions == patches + encoder.leadingTokens ? encoder.leadingTokens : 0,
                    isWhole: shape[0] == 1,
                    isReference: feature.kind == .pooled
                        || feature.kind == .layer && encoder.isReferenceFeature(feature.name),
                    normsBefore: places.count { $0.kind == .norm }))
        } _: {
            _ = encoder.pooled(images)
        }
        return places
    }
}
