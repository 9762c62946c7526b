import Kernels

/// The small sum that every step makes anyway, which also carries the decisions that all ranks must take alike: whether
/// the step is usable and whether this is the last one.
public final class StepStatistics {
    /// Totals that all ranks know after the sum.
    public struct Total: Sendable, Equatable {
        /// Sum of the losses, weighted as they were handed in.
        public let loss: Double
        /// Sum of the weights: samples or masked elements.
        public let weight: Double
        /// Ranks that met a value which is not finite.
        public let ranksWithNonFiniteLoss: Int
        /// True when any rank was asked to stop: every rank stops after this same step.
        public let mustStop: Bool
    }

    private let communicator: any Communicator
    private let values = Doubles(zeros: 4)

    public init(_ communicator: any Communicator) { self.communicator = communicator }

    /// Collective, once a step. A loss that is not finite is counted and skipped, so that the sum stays a number.
    public func add(loss: Double, weight: Double, isFinite: Bool, mustStop: Bool) throws(ClusterError) -> Total {
        let isUsable = isFinite && loss.isFinite && weight.isFinite
        values[0] = isUsable ? loss : 0
        values[1] = isUsable ? weight : 0
        values[2] = isUsable ? 0 : 1
        values[3] = mustStop ? 1 : 0
        try communicator.sum(values)
        return Total(
            loss: values[0], weight: values[1], ranksWithNonFiniteLoss: Int(values[2]), mustStop: values[3] > 0)
    }
}
