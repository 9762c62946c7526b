public import Kernels

/// `w *= 1 - ηλ; w -= η·sign(β1·m + (1-β1)·g); m = β2·m + (1-β2)·g`, with sign(0) = 0 and the momentum moved after the
/// step. Source: arXiv 2302.06675, in the form of lucidrains/lion-pytorch.
public struct Lion: UpdateRule, Equatable {
    public let first, second: Double

    public init(first: Double = 0.9, second: Double = 0.99) {
        self.first = first
        self.second = second
    }

    public var stateNames: [String] { ["exp_avg"] }

    public func apply(_ run: ParameterRun, rate: Double, decay: Double, step: Int, pool: WorkerPool) {
        let coefficients = LionCoefficients(keep: 1 - rate * decay, first: first, second: second, rate: rate)
        pool.lion(run.values, run.gradients, first: run.state[0], coefficients, run.pieces)
    }
}
