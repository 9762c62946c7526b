public import Checkpoints
import Kernels
public import Messages
import Models

/// A library whose models compute what ours do.
public enum ThirdPartyLibrary: String, CaseIterable, Sendable {
    /// huggingface/pytorch-image-models.
    case timm
    /// microsoft/SimMIM, whose names ours are.
    case simmim
    /// keyu-tian/SparK, the same for its convnets.
    case spark
}

/// The counterpart of a model in another library: how it is built there and what it calls its parts.
public struct ThirdPartyModel: Sendable {
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
    /// Tensors that only they have, and that hold nothing: names and shapes.
    let empty: [(name: String, shape: [Int])]

    init(
        _ architecture: String, _ arguments: [String: JSON], names: [NameMap.Rule],
        firstConvolution: String = "patch_embed.proj", head: String = "head", pooling: String,
        empty: [(name: String, shape: [Int])] = []
    ) {
        (self.architecture, self.arguments, self.names) = (architecture, arguments, NameMap(names))
        (self.firstConvolution, self.head, self.pooling, self.empty) = (firstConvolution, head, pooling, empty)
    }

    /// Our tensors under their names.
    func tensors(of stored: [StoredTensor]) throws(CheckpointError) -> [StoredTensor] {
        try names.apply(to: stored)
            + empty.map { StoredTensor($0.name, Shape($0.shape), Floats(zeros: $0.shape.reduce(1, *))) }
    }

    /// - Parameters:
    ///   - classes: 0 for the encoder of a pretraining model.
    ///   - prefix: of the names inside the encoder.
    init(
        of encoder: any Encoder, image: ImageSpec, classes: Int, prefix: String, in library: ThirdPartyLibrary
    ) throws(EvaluationError) {
        guard let encoder = encoder as? any Exchangeable else {
            throw .noCounterpart("\(type(of: encoder))", library.rawValue, reason: "nobody has written its names down")
        }
        self =
            switch library {
            case .timm: try encoder.timm(image, classes: classes, prefix: prefix)
            case .simmim: try encoder.simMIM(image, classes: classes)
            case .spark: try encoder.sparK(image, classes: classes)
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
    func timm(_ image: ImageSpec, classes: Int, prefix: String) throws(EvaluationError) -> ThirdPartyModel
    func simMIM(_ image: ImageSpec, classes: Int) throws(EvaluationError) -> ThirdPartyModel
    func sparK(_ image: ImageSpec, classes: Int) throws(EvaluationError) -> ThirdPartyModel
}

extension Exchangeable {
    func simMIM(_ image: ImageSpec, classes: Int) throws(EvaluationError) -> ThirdPartyModel {
        throw .noCounterpart("a convnet", ThirdPartyLibrary.simmim.rawValue, reason: "its encoders are transformers")
    }

    func sparK(_ image: ImageSpec, classes: Int) throws(EvaluationError) -> ThirdPartyModel {
        throw .noCounterpart("a transformer", ThirdPartyLibrary.spark.rawValue, reason: "its encoders are convnets")
    }
}
