public import Kernels

/// Adam's direction plus decay, `u = (m/c1)/(sqrt(v)/sqrt(c2) + ε) + λw`, taken with the rate `η·‖w‖/‖u‖` of each
/// tensor. Source: arXiv 1904.00962, in the form of keyu-tian/SparK (= timm 0.5.4). Its clip by the global norm is the
/// trainer's clip stage (`Clip.Form.lamb`), so that gradient noise still comes after it.
public struct LAMB: UpdateRule, Equatable {
    public let first, second, epsilon: Double
    public let correctsBias, averagesGradients, clipsTrust, alwaysAdapts: Bool

    /// - Parameters:
    ///   - averagesGradients: the gradient enters the first moment with weight 1-β1 (else 1).
    ///   - clipsTrust: the ratio ‖w‖/‖u‖ is at most 1.
    ///   - alwaysAdapts: the ratio also holds for tensors that do not decay; else they take Adam's step.
    public init(
        first: Double = 0.9, second: Double = 0.999, epsilon: Double = 1e-6, correctsBias: Bool = true,
        averagesGradients: Bool = true, clipsTrust: Bool = false, alwaysAdapts: Bool = false
    ) {
        self.first = first
        self.second = second
        self.epsilon = epsilon
        self.correctsBias = correctsBias
        self.averagesGradients = averagesGradients
        self.clipsTrust = clipsTrust
        self.alwaysAdapts = alwaysAdapts
    }

    public var stateNames: [String] { ["exp_avg", "exp_avg_sq"] }

    public func measure(_ run: ParameterRun, decay: Double, step: Int, pool: WorkerPool) {
        pool.lambMoments(
            run.values, run.gradients, first: run.state[0], second: run.state[1], coefficients(decay, step),
            run.pieces, norms: run.norms)
    }

    public func apply(_ run: ParameterRun, rate: Double, decay: Double, step: Int, pool: WorkerPool) {
        let adapts = decay != 0 || alwaysAdapts
        for tensor in run.tensors.indices {
            let trust = adapts ? trust(run.norms[2 * tensor], run.norms[2 * tensor + 1]) : 1
            run.factors[tensor] = Float(rate * trust)
        }
        pool.lambApply(
            run.values, first: run.state[0], second: run.state[1], coefficients(decay, step), run.pieces,
            rates: run.factors[0..<run.tensors.count])
    }

    private func coefficients(_ decay: Double, _ step: Int) -> LAMBCoefficients {
        LAMBCoefficients(
            decay: decay, first: first, second: second, epsilon: epsilon, averages: averagesGradients,
            corrects: correctsBias, step: step)
    }

    private func trust(_ values: Double, _ directions: Double) -> Double {
        guard values > 0, directions > 0 else { return 1 }
        let ratio = (values / directions).squareRoot()
        return clipsTrust ? min(ratio, 1) : ratio
    }
}
