public import Autodiff
public import Batches
public import Kernels
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
    /// Networks that are trained in turns, each through the whole set before the next.
    var networks: Int { get }
    /// Collective. What the method does beside the gradient of a step.
    func hooks(_ context: HookContext) throws -> [any StepHook]
    /// What it keeps of each training sample; nil: nothing.
    func kept(samples: Int, classes: Int, ranks: Int) -> KeptOfSamples?
    /// What a step reads.
    /// - Parameters:
    ///   - loader: batches as they are loaded; of tokens the stored grids as ids.
    ///   - grid: of the data, where it is tokens.
    func feed(
        _ loader: any BatchFeed, _ batch: BatchTensors, _ recipe: Recipe, _ grid: TokenGrid?, pool: WorkerPool
    ) throws -> any BatchFeed
    /// Drawn numbers of the form of `batch`, for timing a step; nil where they are those of any images or tokens.
    /// - Parameter first: number of the first sample.
    func syntheticBatch(_ batch: BatchTensors, seed: UInt64, first: Int) -> Batch?
    /// The grid of ids that it learns to write an image as: n along a side, of K codes; nil for other methods.
    var writtenGrid: (side: Int, codes: Int)? { get }
}

/// Bytes of one rank for what is kept of each training sample.
public typealias KeptOfSamples = (bytes: Int, areSharded: Bool)

extension Objective {
    public static var phase: Recipe.Kind { .pretrain }
    public static func check(_ settings: Settings, _ recipe: Recipe, _ here: Here) {}
    public var layers: LayerDecay? { nil }
    public var masking: (any Masking)? { nil }
    public func reconstruction(_ batch: BatchTensors) -> PixelRows? { nil }
    public func logits(_ images: Tensor) -> Tensor? { nil }
    public var networks: Int { 1 }
    public func hooks(_ context: HookContext) throws -> [any StepHook] { [] }
    public func kept(samples: Int, classes: Int, ranks: Int) -> KeptOfSamples? { nil }
    public func syntheticBatch(_ batch: BatchTensors, seed: UInt64, first: Int) -> Batch? { nil }
    public var writtenGrid: (side: Int, codes: Int)? { nil }
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

/// Where a trainer's micro-batches come from: loader threads, what a method makes of their batches, or one synthetic
/// batch when only the step is timed.
public protocol BatchFeed: AnyObject {
    func next() throws -> Batch
    func release(_ batch: Batch)
    /// Keeps with the weights what they must never be used without.
    func describe(in store: ParameterStore)
}

extension BatchFeed {
    public func describe(in store: ParameterStore) {}
}

extension Loader: BatchFeed {}
