public import Autodiff
public import Layers
public import Messages
public import Recipes

/// A network that turns images into features: what methods, fine-tuning and probes need to know of it.
public protocol Encoder {
    /// The last feature map: `side` × `side` vectors over the image.
    var grid: FeatureGrid { get }
    /// The output of each block for images (B, H, W, C), in order; the last one is the encoder's output, after its
    /// final norm where there is one.
    func outputs(_ images: Tensor) -> [FeatureMap]
    /// Numbers of one place of the input: red, green and blue of a pixel; of a token its id, or its code vector.
    func inputChannels(_ image: ImageSpec) -> Int
    /// One vector per image, (B, F): what the head of a classifier reads.
    func pooled(_ images: Tensor) -> Tensor
    /// Initializer of the weight of such a head.
    var headInit: Initializer { get }
    /// The name of such a head beside the encoder's parameters.
    var headName: String { get }
    /// First part of the names that belong to the head, a norm before the linear map too: a classifier for other
    /// classes initializes them anew.
    var headPrefix: String { get }
    /// Declares the head in `scope`, that of the encoder.
    func head(_ scope: Scope, classes: Int) -> Linear
    /// The layer of each parameter, for layer-wise learning-rate decay.
    var layers: LayerDecay { get }
    /// Which parameters have weight decay. The published recipes differ between the phases.
    func weightDecay(for use: EncoderUse) -> DecayRule
    /// Weights of such an encoder of another phase, resolution or window, turned into this one's: names inside the
    /// encoder as keys. What needs no change stays as it is; what has no place here may stay too.
    func converted(_ stored: [String: StoredWeights]) -> [String: StoredWeights]
    /// First parts of the names of parameters that a classifier has and no encoder hands on, beside its head's: a norm
    /// after pooling.
    var freshNames: [String] { get }
    /// Tokens before those of the patches.
    var leadingTokens: Int { get }
    /// Whether the raw output of a linear map or a convolution is among the features that the preset `reference` takes.
    func isReferenceFeature(_ layer: String) -> Bool
}

extension Encoder {
    public var freshNames: [String] { ["fc_norm."] }

    public var leadingTokens: Int { 0 }

    public func isReferenceFeature(_ layer: String) -> Bool { true }

    public var headName: String { "head" }

    public var headPrefix: String { headName.prefix { $0 != "." } + "." }

    public func inputChannels(_ image: ImageSpec) -> Int { image.channels }

    public func head(_ scope: Scope, classes: Int) -> Linear {
        Linear(scope[headName], grid.width, classes, init: headInit)
    }

    public func converted(_ stored: [String: StoredWeights]) -> [String: StoredWeights] { stored }
}

/// The values of a stored tensor.
public struct StoredWeights: Sendable, Equatable {
    public var shape: [Int]
    /// Row-major.
    public var values: [Float]

    public init(shape: [Int], values: [Float]) {
        self.shape = shape
        self.values = values
    }
}

/// An encoder that puts a learned vector in the place of masked patches and keeps the whole grid, as SimMIM wants it.
public protocol MaskedEncoder: Encoder {
    /// Side of a patch in pixels: of one element of the mask.
    var patch: Int { get }
    /// The last features, (B, side·side, F), row-major.
    /// - Parameter mask: (B, H/p, W/p), 1 = masked.
    func features(_ images: Tensor, mask: Tensor) -> Tensor
}

/// The use of an encoder: initialization and the parameters around the blocks differ.
public enum EncoderUse: Sendable { case pretraining, classification }

/// Features on the way through an encoder.
public struct FeatureMap {
    /// Name such as `blocks.3`; `output` for the last one.
    public let name: String
    /// (B, N, F), one vector per square of the image in row-major order.
    public let patches: Tensor
    /// (B, F), where the encoder has a class token.
    public let classToken: Tensor?

    public init(_ name: String, patches: Tensor, classToken: Tensor? = nil) {
        self.name = name
        self.patches = patches
        self.classToken = classToken
    }
}

/// A setting that a model or method cannot be built with; the place is its key, such as `model.patch_size`.
public typealias ModelError = UserError<ModelReason>

public enum ModelReason: ErrorReason {
    case setting

    public var blame: Blame { .request }
    public static var marks: (found: String, expected: String, hint: String, end: String) { ("found ", ", ", "; ", "") }
}

extension UserError where Reason == ModelReason {
    public init(_ place: String, found: String, expected: String, hint: String) {
        self.init(because: .setting, at: place, found: found, expected: expected, hint: hint)
    }
}

/// The model section of a recipe, which is the shape of an encoder: `kind` names it, the other keys are its settings.
public protocol EncoderSettings: RecipeSection {
    /// The encoder's name in a recipe.
    static var kind: String { get }
    /// Rules with the rest of the recipe.
    func check(_ recipe: Recipe, _ here: Here)
    /// Declares the parameters in `scope`.
    func encoder(_ scope: Scope, image: ImageSpec, for use: EncoderUse) throws(ModelError) -> any Encoder
    /// Recipe keys, and their values, that an encoder must share to take these weights. Shapes of tensors do not tell
    /// all of it; the number of heads leaves no trace in them.
    var lineage: [String: String] { get }
}

extension EncoderSettings {
    /// No rules.
    public func check(_ recipe: Recipe, _ here: Here) {}

    /// Shapes of tensors tell all.
    public var lineage: [String: String] { [:] }
}

/// The vector that the head of a classifier reads.
public enum TokenPooling: String, CaseIterable, Sendable, Decodable {
    case classToken = "token"
    case mean = "avg"
}
