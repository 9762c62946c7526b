public import Autodiff
import Kernels

/// The model section of a recipe: `kind` names the family, the other keys are its settings.
public enum ModelSettings: Sendable, Equatable {
    case visionTransformer(VisionTransformer.Settings)

    /// Declares the encoder's parameters in `scope`.
    public func encoder(
        _ scope: Scope, image: ImageSpec, for use: VisionTransformer.Use
    ) throws(ModelError) -> VisionTransformer {
        switch self {
        case .visionTransformer(let settings): try VisionTransformer(scope, settings, image: image, for: use)
        }
    }
}

extension ModelSettings: Decodable {
    private enum CodingKeys: String, CodingKey { case kind }
    private enum Kind: String, Decodable { case vit }

    public init(from decoder: any Decoder) throws {
        switch try decoder.container(keyedBy: CodingKeys.self).decode(Kind.self, forKey: .kind) {
        case .vit: self = .visionTransformer(try VisionTransformer.Settings(from: decoder))
        }
    }
}
