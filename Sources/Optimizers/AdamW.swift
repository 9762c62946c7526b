public import Kernels

/// Adam with decoupled decay: `w *= 1 - ηλ; m += (1-β1)(g - m); v = β2·v + (1-β2)·g²;
/// w -= η/(1-β1^k) · m / (sqrt(v)/sqrt(1-β2^k) + ε)`. Source: arXiv 1711.05101, in PyTorch's form.
public struct AdamW: UpdateRule, Equatable {
    public let first, second, epsilon: Double

    public init(first: Double = 0.9, second: Double = 0.999, epsilon: Double = 1e-8) {
        self.first = first
        self.second = second
        self.epsilon = epsilon
    }

    public var stateNames: [String] { ["exp_avg", "exp_avg_sq"] }

    public func apply(_ run: ParameterRun, rate: Double, decay: Double, step: Int, pool: WorkerPool) {
        let coefficients = AdamCoefficients(
            keep: 1 - rate * decay, decay: 0, first: first, second: second, epsilon: epsilon, rate: rate, step: step)
        pool.adam(run.values, run.gradients, first: run.state[0], second: run.state[1], coefficients, run.pieces)
    }
}

/// Adam with coupled decay: `g += λw` before the moments, then as `AdamW` without its first term.
public struct Adam: UpdateRule, Equatable {
    public let first, second, epsilon: Double

    public init(first: Double = 0.9, second: Double = 0.999, epsilon: Double = 1e-8) {
        self.first = first
        self.second = second
        self.epsilon = epsilon
    }

    public var stateNames: [String] { ["exp_avg", "exp_avg_sq"] }

    public func apply(_ run: ParameterRun, rate: Double, decay: Double, step: Int, pool: WorkerPool) {
        let coefficients = AdamCoefficients(
            keep: 1, decay: decay, first: first, second: second, epsilon: epsilon, rate: rate, step: step)
        pool.adam(run.values, run.gradients, first: run.state[0], second: run.state[1], coefficients, run.pieces)
    }
}
