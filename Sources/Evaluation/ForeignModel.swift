public import Checkpoints
import Models

/// A library whose models compute what ours do.
public enum ForeignLibrary: String, CaseIterable, Sendable {
    /// huggingface/pytorch-image-models.
    case timm
    /// microsoft/SimMIM, whose names ours are.
    case simmim
}

/// The counterpart of a model in another library: how it is built there and what it calls its parts.
public struct ForeignModel: Sendable {
    /// timm: a name for `create_model`; SimMIM: a class.
    public let architecture: String
    /// Keyword arguments that build this very model. Those that are the same for all of an architecture are left out,
    /// such as the norm's epsilon.
    public let arguments: [String: JSON]
    /// From our names to theirs.
    public let names: NameMap
    /// The first convolution and the head, by their names.
    public let firstConvolution, head: String
    /// How the features become one vector, in timm's words.
    public let pooling: String

    init(
        _ architecture: String, _ arguments: [String: JSON], names: [NameMap.Rule], head: String = "head",
        pooling: String
    ) {
        (self.architecture, self.arguments, self.names) = (architecture, arguments, NameMap(names))
        (self.head, self.pooling) = (head, pooling)
        firstConvolution = "patch_embed.proj"
    }

    /// - Parameters:
    ///   - classes: 0 for the encoder of a pretraining model.
    ///   - prefix: of the names inside the encoder.
    init(
        of encoder: any Encoder, image: ImageSpec, classes: Int, prefix: String, in library: ForeignLibrary
    ) throws(EvaluationError) {
        guard let encoder = encoder as? any Exchangeable else {
            throw .noCounterpart("\(type(of: encoder))", library.rawValue, reason: "nobody has written its names down")
        }
        self =
            switch library {
            case .timm: try encoder.timm(image, classes: classes, prefix: prefix)
            case .simmim: try encoder.simMIM(image, classes: classes)
            }
    }

    /// Rules that leave a bare encoder: its tensors without the prefix, constant tables and what only pretraining needs.
    static func backbone(_ prefix: String) -> [NameMap.Rule] {
        let tables: [NameMap.Rule] = [.ignore("**.relative_position_index"), .ignore("**.attn_mask")]
        if prefix.isEmpty { return tables }
        return tables + [.ignore(prefix + "mask_token"), .ignore("decoder.**"), .dropPrefix(prefix)]
    }
}

/// An encoder that has a counterpart in other libraries.
protocol Exchangeable: Encoder {
    func timm(_ image: ImageSpec, classes: Int, prefix: String) throws(EvaluationError) -> ForeignModel
    func simMIM(_ image: ImageSpec, classes: Int) throws(EvaluationError) -> ForeignModel
}
