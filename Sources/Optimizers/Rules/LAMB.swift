public import Kernels
public import Recipes

/// Adam's direction plus weight decay, `u = (m/c1)/(sqrt(v)/sqrt(c2) + ε) + λw`, taken with the learning rate
/// `η·‖w‖/‖u‖` of each tensor. Source: arXiv 1904.00962, in the form of keyu-tian/SparK (= timm 0.5.4). Its clip by the
/// global norm is the trainer's clip stage (`Clip.Form.lamb`), so that gradient noise still comes after it.
public struct LAMB: UpdateRule {
    public struct Settings: RecipeSection {
        public let betas: [Double]
        public let eps: Double
        public let biasCorrection, gradAveraging, trustClip, alwaysAdapt: Bool

        public init(
            betas: [Double] = [0.9, 0.999], eps: Double = 1e-6, biasCorrection: Bool = true,
            gradAveraging: Bool = true, trustClip: Bool = false, alwaysAdapt: Bool = false
        ) {
            (self.betas, self.eps) = (betas, eps)
            (self.biasCorrection, self.gradAveraging) = (biasCorrection, gradAveraging)
            (self.trustClip, self.alwaysAdapt) = (trustClip, alwaysAdapt)
        }

        public static let defaults = [
            "bias_correction": "true", "grad_averaging": "true", "trust_clip": "false", "always_adapt": "false",
        ]
        public static let meanings = [
            "betas": "Decay of the first and second moment, 0 to below 1.",
            "eps": "Added to the root of the second moment.",
            "bias_correction": "Divide moments by 1 - beta^k.",
            "grad_averaging": "A gradient enters the first moment with weight 1 - beta; false: whole.",
            "trust_clip": "The trust ratio is at most 1.",
            "always_adapt": "Scale by the trust ratio also where there is no weight decay.",
        ]

        public func check(_ here: Here) {
            here.requireBetas(betas)
            here.requirePositive(eps, at: "eps")
        }
    }

    public static let kind = "lamb"
    private static let kernel = UpdateKernel("lamb")
    public let settings: Settings

    public init(_ settings: Settings = Settings()) { self.settings = settings }

    public var stateNames: [String] { ["exp_avg", "exp_avg_sq"] }
    public var clipForm: Clip.Form { .lamb }

    public func measure(_ run: ParameterRun, weightDecay: Double, step: Int, pool: WorkerPool) {
        run.measure(Self.kernel, coefficients(weightDecay, step), pool: pool)
    }

    public func apply(_ run: ParameterRun, learningRate: Double, weightDecay: Double, step: Int, pool: WorkerPool) {
        let adapts = weightDecay != 0 || settings.alwaysAdapt
        for tensor in run.tensors.indices {
            let trust = adapts ? trust(run.norms[2 * tensor], run.norms[2 * tensor + 1]) : 1
            run.factors[tensor] = Float(learningRate * trust)
        }
        run.update(
            Self.kernel, coefficients(weightDecay, step), factors: run.factors[0..<run.tensors.count], pool: pool)
    }

    /// The first one, the learning rate, is each tensor's own.
    private func coefficients(_ weightDecay: Double, _ step: Int) -> [9 of Double] {
        let (first, second) = (settings.betas[0], settings.betas[1])
        let corrects = settings.biasCorrection
        return [
            0, first, settings.gradAveraging ? 1 - first : 1, second, 1 - second,
            corrects ? 1 / Kernels.biasCorrection(first, step) : 1,
            corrects ? 1 / Kernels.biasCorrection(second, step).squareRoot() : 1, settings.eps, weightDecay,
        ]
    }

    private func trust(_ values: Double, _ directions: Double) -> Double {
        guard values > 0, directions > 0 else { return 1 }
        let ratio = (values / directions).squareRoot()
        return settings.trustClip ? min(ratio, 1) : ratio
    }
}
