import Autodiff
import Batches
import Checkpoints
import Kernels

/// What learns beside the gradient of a step: it looks at every micro-batch and moves once an update.
protocol StepHook: AnyObject {
    /// As a table of times calls it.
    var name: String { get }
    /// Values of the step's plan that it looks at.
    var reads: [Tensor] { get }
    /// - Parameter micro: number of the micro-batch within the update.
    func note(_ plan: Plan, _ batch: Batch, micro: Int)
    /// Collective. Moves by what all ranks noted, unless their numbers are not finite.
    /// - Parameter step: updates done before this one.
    func update(step: Int) throws
    /// Numbers for the log since the last call, in a fixed order.
    func takeMeasures() -> [StepRecord.Measure]
    /// What a person should know, once.
    func takeWarning() -> String?
    /// Views of all that a resumed run needs.
    var tensors: [StoredTensor] { get }
    /// The memory behind `tensors`.
    var state: [Floats] { get }
}
