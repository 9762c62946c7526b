public import Kernels

/// Descent with momentum: `d = g + λw; b = d at the first update, then μb + (1-τ)d; w -= η·b`, or `η(d + μb)` in
/// Nesterov's form. The rate stays outside the buffer, so a change of it acts at once. Source: torch.optim.SGD.
public struct SGD: UpdateRule, Equatable {
    public let momentum, dampening: Double
    public let nesterov: Bool

    public init(momentum: Double = 0, dampening: Double = 0, nesterov: Bool = false) {
        precondition(!nesterov || (momentum > 0 && dampening == 0), "Nesterov needs momentum and no dampening")
        self.momentum = momentum
        self.dampening = dampening
        self.nesterov = nesterov
    }

    public var stateNames: [String] { momentum == 0 ? [] : ["momentum_buffer"] }

    public func apply(_ run: ParameterRun, rate: Double, decay: Double, step: Int, pool: WorkerPool) {
        let coefficients = MomentumCoefficients(
            decay: decay, momentum: momentum, dampening: dampening, nesterov: nesterov, rate: rate, isFirst: step == 1)
        pool.descend(run.values, run.gradients, buffer: run.state.first, coefficients, run.pieces)
    }
}
