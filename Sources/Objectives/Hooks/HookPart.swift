public import Autodiff
public import Batches
public import Cluster
public import Kernels
public import Models
public import Recipes

/// A section of a recipe that takes part in the steps of any method: its keys, what it records in the graph, and its hook.
public protocol HookPart: RecipePart, SendableMetatype {
    /// Records what it wants of a step; nil for a recipe without the section.
    init?(_ step: StepRecording) throws
    /// What training makes smaller; nil: the method's loss.
    var minimised: Tensor? { get }
    /// Values of the step's plan that its hook reads.
    var reads: [Tensor] { get }
    /// Collective. Nil where there is nothing to do.
    func hook(_ context: HookContext) throws -> (any StepHook)?
    /// Copies of the first network's weights that its hook keeps.
    var copies: Int { get }
    /// What it asks of a rank beside the step's plan and those; nil for what is small.
    func cost() throws -> (any HookCost)?
}

extension HookPart {
    public var minimised: Tensor? { nil }
    public var reads: [Tensor] { [] }
    public var copies: Int { 0 }
    public func cost() throws -> (any HookCost)? { nil }
}

/// What a hook asks of a rank, for one micro-batch.
public protocol HookCost {
    var bytes: Int { get }
    /// Multiply-adds times two in networks of its own.
    var networkFlops: Int { get }
    /// The same in the step's plan.
    var planFlops: Int { get }
    /// Bytes that a rank hands in and gets back.
    var exchangedBytes: Int { get }
}

/// A step of training while it is recorded. The first part that asks for the loss has it recorded, so that it may watch.
public final class StepRecording {
    public let recipe: Recipe
    public let objective: any Objective
    public let batch: BatchTensors
    /// Classes of the data; 0 without labels.
    public let classes: Int
    /// Number of a rank that trains; nil where nobody learns.
    public let rank: Int?
    public let catalog: Catalog
    public private(set) lazy var loss = objective.loss(batch)

    public init(
        _ recipe: Recipe, _ objective: any Objective, _ batch: BatchTensors, classes: Int, rank: Int?,
        catalog: Catalog
    ) {
        (self.recipe, self.objective, self.batch) = (recipe, objective, batch)
        (self.classes, self.rank, self.catalog) = (classes, rank, catalog)
    }

    /// Samples of a micro-batch on one rank.
    public var samples: Int { batch.images.shape[0] }
    public var ranks: Int { recipe.batch.global / samples / recipe.batch.gradAccumSteps }
}

/// What a hook finds when a trainer makes it.
public struct HookContext {
    public let recipe: Recipe
    public let batch: BatchTensors
    public let loss: Loss
    /// Classes of the data; 0 without labels.
    public let classes: Int
    /// The weights of each network that is trained.
    public let stores: [ParameterStore]
    /// What is learned from; nil where only steps are timed: then no file is read.
    public let source: (any SampleSource)?
    public let communicator: any Communicator
    public let pool: WorkerPool
    /// Options of the step's plan, for its sums over ranks.
    public let options: PlanOptions
    /// Gives a plan of the step's graph what is left out at random.
    public let draw: (Plan, Batch) -> Void
    /// Further weights of the networks' form, initialized by a stream of their own.
    public let newStore: (_ stream: Int) throws -> ParameterStore
    /// Fills an encoder's weights from a run or a file, on rank 0.
    public let read:
        (_ path: String, _ store: ParameterStore, _ encoder: any Encoder, _ model: Section) throws -> [String]

    public init(
        _ recipe: Recipe, _ batch: BatchTensors, _ loss: Loss, classes: Int, stores: [ParameterStore],
        source: (any SampleSource)?, communicator: any Communicator, pool: WorkerPool, options: PlanOptions,
        draw: @escaping (Plan, Batch) -> Void, newStore: @escaping (Int) throws -> ParameterStore,
        read: @escaping (String, ParameterStore, any Encoder, Section) throws -> [String]
    ) {
        (self.recipe, self.batch, self.loss, self.classes) = (recipe, batch, loss, classes)
        (self.stores, self.source, self.communicator) = (stores, source, communicator)
        (self.pool, self.options) = (pool, options)
        (self.draw, self.newStore, self.read) = (draw, newStore, read)
    }

    /// Samples of a micro-batch on one rank.
    public var samples: Int { batch.images.shape[0] }

    public var cut: BatchCut {
        BatchCut(rank: communicator.rank, ranks: communicator.size, accumulation: recipe.batch.gradAccumSteps)
    }
}
