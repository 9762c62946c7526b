public import Autodiff
public import Batches
public import Checkpoints
public import Kernels
public import Messages
public import Optimizers

/// What goes on beside the gradient of a step: targets of samples, a guide, a codebook, a probe, an average. The trainer
/// calls every hook at the same moments, in the order in which they were made; a hook takes those that concern it.
/// Ranks call alike, so that what is marked as collective may use the group. No call of a step allocates.
public protocol StepHook: AnyObject {
    /// A row in a table of times.
    var name: String { get }
    /// Whether it takes part in the updates of a network; with several networks most hooks follow the first alone.
    func follows(network: Int) -> Bool
    /// Values that the step's plan keeps for it.
    var reads: [Tensor] { get }
    /// What training makes smaller as long as the hook is active; nil: the method's loss.
    var minimised: Tensor? { get }
    /// Whether it has something to do from the update `step` of a network on; one that has not is let go with its memory.
    func isActive(at step: Int) -> Bool
    /// Makes the hook's own plans anew, in the memory of the step's plan; nil: lets them go.
    func plan(in arena: Floats?) throws

    /// Collective. Before a micro-batch is given to the plan.
    func prepare(_ inputs: inout StepInputs) throws
    /// Sets the hook's inputs of the step's plan, perhaps several times after one `prepare`.
    func bind(_ plan: Plan)
    /// After forward and backward of a micro-batch.
    func note(_ plan: Plan, _ inputs: StepInputs)
    /// Collective, once an update: by what all ranks noted.
    func reduce(_ clock: TrainingClock) throws
    /// Collective, after the weights have moved, or after an update that was skipped on all ranks.
    func finish(_ clock: TrainingClock, isSkipped: Bool) throws

    /// Collective. Numbers for the log since the last call, in a fixed order.
    func takeMeasures() throws -> [Measure]
    /// Collective. Numbers beside an evaluation.
    func evaluationMeasures() throws -> [Measure]
    /// What a person should know, once.
    func takeWarning() -> String?
    /// What a person should know at the start, on rank 0.
    var remarks: [String] { get }

    /// Texts in the state of the run, under keys that end in `/hash`: a resumed run must give the same.
    var marks: [String: String] { get }
    /// Numbers in the state of the run.
    func state(_ clock: TrainingClock) -> [String: JSON]
    /// Views of what a resumed run needs, the same on every rank.
    var tensors: [StoredTensor] { get }
    /// The memory behind `tensors`.
    var memory: [Floats] { get }
    /// Further weights of the form of the networks' own, with what stands before their names in a checkpoint.
    var copies: [(prefix: String, store: ParameterStore)] { get }
    /// An average of the first network's weights, which evaluations look at too.
    var average: WeightEMA? { get }
    /// State that may lie in parts on the ranks: the whole of each.
    var wholes: [WantedTensor] { get }
    /// Collective. The numbers of `wholes` on rank 0, nothing elsewhere.
    func gather() throws -> [Floats]
    /// Collective. Takes them back.
    /// - Parameter read: collective; the numbers of one of `wholes` on rank 0, nil elsewhere.
    func scatter(_ read: (WantedTensor) throws -> Floats?) throws
}

extension StepHook {
    public func follows(network: Int) -> Bool { network == 0 }
    public var reads: [Tensor] { [] }
    public var minimised: Tensor? { nil }
    public func isActive(at step: Int) -> Bool { true }
    public func plan(in arena: Floats?) throws {}
    public func prepare(_ inputs: inout StepInputs) throws {}
    public func bind(_ plan: Plan) {}
    public func note(_ plan: Plan, _ inputs: StepInputs) {}
    public func reduce(_ clock: TrainingClock) throws {}
    public func finish(_ clock: TrainingClock, isSkipped: Bool) throws {}
    public func takeMeasures() throws -> [Measure] { [] }
    public func evaluationMeasures() throws -> [Measure] { [] }
    public func takeWarning() -> String? { nil }
    public var remarks: [String] { [] }
    public var marks: [String: String] { [:] }
    public func state(_ clock: TrainingClock) -> [String: JSON] { [:] }
    public var tensors: [StoredTensor] { [] }
    public var memory: [Floats] { [] }
    public var copies: [(prefix: String, store: ParameterStore)] { [] }
    public var average: WeightEMA? { nil }
    public var wholes: [WantedTensor] { [] }
    public func gather() throws -> [Floats] { [] }
    public func scatter(_ read: (WantedTensor) throws -> Floats?) throws {}
}

/// A micro-batch on its way into the plan. What a hook puts in the place of images or targets, the network and later
/// hooks see.
public struct StepInputs {
    public let batch: Batch
    /// Number of the micro-batch within the update.
    public let micro: Int
    public let clock: TrainingClock
    public var images, targets: Floats

    public init(_ batch: Batch, micro: Int, _ clock: TrainingClock) {
        (self.batch, self.micro, self.clock) = (batch, micro, clock)
        (images, targets) = (batch.images, batch.targets)
    }
}

/// A number with the name that logs know it by.
public struct Measure: Sendable, Equatable {
    public let name: String
    public let value: Double

    public init(_ name: String, _ value: Double) { (self.name, self.value) = (name, value) }
}
