public import Kernels

/// Layer-wise rates for probes: matrices take `d = r(g + λw)` with `r = trust·‖w‖/‖g + λw‖`, vectors take `d = g` without
/// decay; then `b = μb + d; w -= ηb`. Source: arXiv 1708.03888, in the form of facebookresearch/mae (LARS-A).
public struct ProbeLARS: UpdateRule, Equatable {
    public let momentum, trust: Double

    public init(momentum: Double = 0.9, trust: Double = 0.001) {
        self.momentum = momentum
        self.trust = trust
    }

    public var stateNames: [String] { ["mu"] }

    public func measure(_ run: ParameterRun, decay: Double, step: Int, pool: WorkerPool) {
        pool.squaredNorms(run.values, run.gradients, decay: decay, run.pieces, norms: run.norms)
    }

    public func apply(_ run: ParameterRun, rate: Double, decay: Double, step: Int, pool: WorkerPool) {
        for tensor in run.tensors.indices {
            let adapts = run.tensors[tensor].rank > 1
            let values = run.norms[2 * tensor].squareRoot(), directions = run.norms[2 * tensor + 1].squareRoot()
            let ratio = adapts && values > 0 && directions > 0 ? trust * values / directions : 1
            run.factors[2 * tensor] = adapts ? Float(decay) : 0
            run.factors[2 * tensor + 1] = Float(ratio)
        }
        let coefficients = MomentumCoefficients(
            decay: 0, momentum: momentum, dampening: 0, nesterov: false, rate: rate, isFirst: step == 1)
        pool.descend(
            run.values, run.gradients, buffer: run.state[0], coefficients, run.pieces, factors: run.factors)
    }
}

/// timm's LARS (LARS-B): `r = trust·‖w‖/(‖g‖ + λ‖w‖ + ε)`, at most η with `clipsTrust`; `g = r(g + λw)`; then momentum
/// descent without further decay. It takes the norm of the raw gradient, `ProbeLARS` that of the decayed one.
public struct LARS: UpdateRule, Equatable {
    public let momentum, dampening, trust, epsilon: Double
    public let nesterov, clipsTrust, alwaysAdapts: Bool

    public init(
        momentum: Double = 0.9, dampening: Double = 0, nesterov: Bool = false, trust: Double = 0.001,
        epsilon: Double = 1e-8, clipsTrust: Bool = false, alwaysAdapts: Bool = false
    ) {
        self.momentum = momentum
        self.dampening = dampening
        self.nesterov = nesterov
        self.trust = trust
        self.epsilon = epsilon
        self.clipsTrust = clipsTrust
        self.alwaysAdapts = alwaysAdapts
    }

    public var stateNames: [String] { momentum == 0 ? [] : ["momentum_buffer"] }

    public func measure(_ run: ParameterRun, decay: Double, step: Int, pool: WorkerPool) {
        pool.squaredNorms(run.values, run.gradients, decay: 0, run.pieces, norms: run.norms)
    }

    public func apply(_ run: ParameterRun, rate: Double, decay: Double, step: Int, pool: WorkerPool) {
        let adapts = decay != 0 || alwaysAdapts
        for tensor in run.tensors.indices {
            let values = run.norms[2 * tensor].squareRoot(), gradients = run.norms[2 * tensor + 1].squareRoot()
            var ratio = 1.0
            if adapts {
                if values > 0 && gradients > 0 { ratio = trust * values / (gradients + decay * values + epsilon) }
                if clipsTrust { ratio = min(ratio / rate, 1) }
            }
            run.factors[2 * tensor] = Float(decay)
            run.factors[2 * tensor + 1] = Float(ratio)
        }
        let coefficients = MomentumCoefficients(
            decay: 0, momentum: momentum, dampening: dampening, nesterov: nesterov, rate: rate, isFirst: step == 1)
        pool.descend(
            run.values, run.gradients, buffer: run.state.first, coefficients, run.pieces, factors: run.factors)
    }
}
