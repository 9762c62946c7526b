public import Kernels
public import Recipes

/// Keys of the rules with Adam's two moments.
public struct AdamSettings: RecipeSection {
    public let betas: [Double]
    public let eps: Double

    public init(betas: [Double] = [0.9, 0.999], eps: Double = 1e-8) {
        self.betas = betas
        self.eps = eps
    }

    public static let meanings = [
        "betas": "Decay of the first and second moment, 0 to below 1.",
        "eps": "Added to the root of the second moment.",
    ]

    public func check(_ here: Here) {
        here.requireBetas(betas)
        here.requirePositive(eps, at: "eps")
    }
}

/// Adam with decoupled weight decay: `w *= 1 - ηλ; m += (1-β1)(g - m); v = β2·v + (1-β2)·g²;
/// w -= η/(1-β1^k) · m / (sqrt(v)/sqrt(1-β2^k) + ε)`. Source: arXiv 1711.05101, in PyTorch's form.
public struct AdamW: UpdateRule {
    public static let kind = "adamw"
    public let settings: AdamSettings

    public init(_ settings: AdamSettings = AdamSettings()) { self.settings = settings }

    public var stateNames: [String] { ["exp_avg", "exp_avg_sq"] }

    public func apply(_ run: ParameterRun, learningRate: Double, weightDecay: Double, step: Int, pool: WorkerPool) {
        settings.apply(run, keep: 1 - learningRate * weightDecay, coupled: 0, learningRate, step, pool)
    }
}

/// Adam with coupled weight decay: `g += λw` before the moments, then as `AdamW` without its first term.
public struct Adam: UpdateRule {
    public static let kind = "adam"
    public let settings: AdamSettings

    public init(_ settings: AdamSettings = AdamSettings()) { self.settings = settings }

    public var stateNames: [String] { ["exp_avg", "exp_avg_sq"] }

    public func apply(_ run: ParameterRun, learningRate: Double, weightDecay: Double, step: Int, pool: WorkerPool) {
        settings.apply(run, keep: 1, coupled: weightDecay, learningRate, step, pool)
    }
}

extension AdamSettings {
    private static let kernel = UpdateKernel("adam")

    fileprivate func apply(
        _ run: ParameterRun, keep: Double, coupled: Double, _ learningRate: Double, _ step: Int, _ pool: WorkerPool
    ) {
        let (first, second) = (betas[0], betas[1])
        run.update(
            Self.kernel,
            [
                keep, coupled, 1 - first, second, 1 - second, learningRate / biasCorrection(first, step),
                1 / biasCorrection(second, step).squareRoot(), eps,
            ], pool: pool)
    }
}
