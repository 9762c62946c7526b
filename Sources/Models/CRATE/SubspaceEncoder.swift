public import Autodiff

/// An encoder of CRATE layers, which says what each of them does: a white box.
public protocol SubspaceEncoder: Encoder {
    var sizes: CRATESizes { get }
    var patches: PatchGrid { get }
    /// Runs the layers over images (B, H, W, C), nothing masked.
    func encode(_ images: Tensor) -> CRATEEncoding
}

/// The values on the way through an encoder of CRATE layers.
public struct CRATEEncoding {
    /// Embedded patches before masking, (B, N, d).
    public let patches: Tensor
    /// Input of the first layer, (B, N + 1, d); the class token comes first.
    public let tokens: Tensor
    public let layers: [CRATELayerValues]
    /// Tokens after the final norm if there is one, (B, N + 1, d).
    public let output: Tensor
}

extension SubspaceEncoder {
    public var grid: FeatureGrid { patches.features(width: sizes.width) }
    public var leadingTokens: Int { 1 }

    public func outputs(_ images: Tensor) -> [FeatureMap] {
        let encoding = encode(images)
        let names = encoding.layers.indices.dropLast().map { "blocks.\($0)" } + ["output"]
        return zip(names, encoding.layers.dropLast().map(\.output) + [encoding.output]).map { name, tokens in
            FeatureMap(name, patches: patchTokens(of: tokens), classToken: firstToken(of: tokens))
        }
    }
}
