public import Autodiff
public import Batches
import Kernels
public import Models
public import Recipes

/// A method of training: which inputs a step brings along and what number it makes smaller.
public protocol Objective: SendableMetatype {
    /// The part of a recipe that belongs to the method.
    associatedtype Settings: RecipeSection
    /// The method's name in a recipe.
    static var kind: String { get }
    /// What kind of recipe it belongs to.
    static var phase: Recipe.Kind { get }
    /// Rules of the settings with the rest of the recipe.
    static func check(_ settings: Settings, _ recipe: Recipe, _ here: Here)
    /// Declares the parameters in `scope`.
    init(_ settings: Settings, _ model: any EncoderSettings, _ scope: Scope, _ input: InputSpec) throws(ModelError)
    /// Records the inputs of a step of `batch` samples.
    func inputs(_ graph: Graph, batch: Int) -> BatchTensors
    func loss(_ batch: BatchTensors) -> Loss
    var encoder: any Encoder { get }
    /// What stands before a parameter's name inside the encoder.
    static var encoderPrefix: String { get }
    /// The layer of each parameter, for layer-wise rates; nil where the method has none.
    var layers: LayerDecay? { get }
    /// Which parameters decay.
    var decay: DecayRule { get }
    /// Which part of a sample is masked; nil where nothing is.
    var masking: (any Masking)? { get }
    /// The pixels predicted for a batch, for images; nil where the method predicts none.
    func reconstruction(_ batch: BatchTensors) -> PixelRows?
    /// The class scores of images before softmax, (B, K); nil where the method gives none.
    func logits(_ images: Tensor) -> Tensor?
    /// How it follows the targets of early-learning regularisation; nil without that.
    var earlyLearning: EarlyLearningSettings? { get }
}

extension Objective {
    public static var phase: Recipe.Kind { .pretrain }
    public static func check(_ settings: Settings, _ recipe: Recipe, _ here: Here) {}
    public var layers: LayerDecay? { nil }
    public var masking: (any Masking)? { nil }
    public func reconstruction(_ batch: BatchTensors) -> PixelRows? { nil }
    public func logits(_ images: Tensor) -> Tensor? { nil }
    public var earlyLearning: EarlyLearningSettings? { nil }
}

/// Predicted pixels, (B, N, C·s·s): one row per square of `side` s, in the order (c, i, j).
public struct PixelRows {
    public let rows: Tensor
    public let side: Int
}

/// What the data gives: square images or grids of tokens and, with labels, their classes.
public struct InputSpec: Sendable, Equatable {
    public var image: ImageSpec
    /// Number of classes; 0 without labels.
    public var classes: Int
    /// Where the samples are tokens: `image` is then the grid that the model sees, with one channel for the id.
    public var tokens: TokenSpec? { image.tokens }

    public init(image: ImageSpec, classes: Int = 0, tokens: TokenSpec? = nil) {
        self.image = image
        self.classes = classes
        if let tokens { self.image.tokens = tokens }
    }

    /// As far as a recipe tells before the data are opened.
    public init(_ recipe: Recipe, classes: Int) {
        self.init(
            image: ImageSpec(side: recipe.images.size, channels: recipe.tokens == nil ? 3 : 1), classes: classes,
            tokens: recipe.tokens.map { TokenSpec(codes: $0.codebookSize, width: $0.codeDim) })
    }
}

/// The inputs of one step.
public struct BatchTensors {
    /// Normalised pixels, (B, H, W, C); of tokens the ids, C = 1, or the code vectors, C = D, as the method declares it.
    public let images: Tensor
    /// One number per patch of the encoder, 1 = masked: (B, S/p, S/p).
    public let mask: Tensor?
    /// Target probabilities, (B, classes).
    public let targets: Tensor?
    /// Of early-learning regularisation.
    public var early: EarlyLearningTensors?

    public init(images: Tensor, mask: Tensor? = nil, targets: Tensor? = nil) {
        self.images = images
        self.mask = mask
        self.targets = targets
    }
}
