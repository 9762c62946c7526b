public import Kernels
public import Recipes

/// Layer-wise learning rates. Form `mae`, for probes: matrices take `d = r(g + λw)` with `r = trust·‖w‖/‖g + λw‖`,
/// vectors take `d = g` without decay; then `b = μb + d; w -= ηb`. Source: arXiv 1708.03888, in the form of
/// facebookresearch/mae (LARS-A). Form `timm` (LARS-B): `r = trust·‖w‖/(‖g‖ + λ‖w‖ + ε)`, with `trust_clip` at most η;
/// `g = r(g + λw)`; then momentum descent without further decay.
public struct LARS: UpdateRule {
    public struct Settings: RecipeSection {
        /// Whose norms and momentum.
        public enum Form: String, CaseIterable, Decodable, Sendable { case mae, timm }

        public let momentum, trustCoeff: Double
        public let form: Form
        public let dampening, eps: Double
        public let nesterov, trustClip, alwaysAdapt: Bool

        public init(
            momentum: Double = 0.9, trustCoeff: Double = 0.001, form: Form, dampening: Double = 0, eps: Double = 1e-8,
            nesterov: Bool = false, trustClip: Bool = false, alwaysAdapt: Bool = false
        ) {
            (self.momentum, self.trustCoeff, self.form) = (momentum, trustCoeff, form)
            (self.dampening, self.eps) = (dampening, eps)
            (self.nesterov, self.trustClip, self.alwaysAdapt) = (nesterov, trustClip, alwaysAdapt)
        }

        public static let defaults = [
            "dampening": "0", "eps": "1e-8", "nesterov": "false", "trust_clip": "false", "always_adapt": "false",
        ]
        public static let meanings = [
            "momentum": "Decay of the running gradient, 0 to below 1.",
            "trust_coeff": "Trust coefficient.",
            "form": "mae: norm of the decayed gradient, vectors left alone; timm: norm of the raw one.",
            "dampening": "Share of a new gradient that the running one leaves out; form timm.",
            "eps": "Added to the norms that a trust ratio divides by; form timm.",
            "nesterov": "Look one momentum step ahead; form timm.",
            "trust_clip": "The trust ratio is at most the learning rate; form timm.",
            "always_adapt": "Scale by the trust ratio also where there is no weight decay; form timm.",
        ]

        public func check(_ here: Here) {
            here.requireMomentum(momentum, dampening, nesterov)
            here.requirePositive(trustCoeff, at: "trust_coeff")
            here.requirePositive(eps, at: "eps")
            for (key, isGiven) in [
                ("dampening", dampening != 0), ("nesterov", nesterov), ("trust_clip", trustClip),
                ("always_adapt", alwaysAdapt),
            ] {
                here.require(form == .timm || !isGiven, at: key, reading: ["form"], "only the form 'timm' has it")
            }
        }
    }

    public static let kind = "lars"
    private static let squares = UpdateKernel("squares")
    public let settings: Settings
    private let momentum: Momentum

    public init(_ settings: Settings) {
        self.settings = settings
        momentum = Momentum(settings.momentum, dampening: settings.dampening, nesterov: settings.nesterov)
    }

    public var stateNames: [String] {
        switch settings.form {
        case .mae: ["mu"]
        case .timm: settings.momentum == 0 ? [] : ["momentum_buffer"]
        }
    }

    public func measure(_ run: ParameterRun, weightDecay: Double, step: Int, pool: WorkerPool) {
        run.measure(Self.squares, [settings.form == .mae ? weightDecay : 0], pool: pool)
    }

    public func apply(_ run: ParameterRun, learningRate: Double, weightDecay: Double, step: Int, pool: WorkerPool) {
        for tensor in run.tensors.indices {
            let values = run.norms[2 * tensor].squareRoot(), gradients = run.norms[2 * tensor + 1].squareRoot()
            let (decay, ratio) =
                switch settings.form {
                case .mae: mae(values, gradients, weightDecay, isVector: run.tensors[tensor].rank <= 1)
                case .timm: (weightDecay, timm(values, gradients, learningRate, weightDecay))
                }
            run.factors[2 * tensor] = Float(decay)
            run.factors[2 * tensor + 1] = Float(ratio)
        }
        momentum.apply(
            run.values, run.gradients, run.state, run.pieces, learningRate: learningRate, isFirst: step == 1,
            factors: run.factors, pool: pool)
    }

    private func mae(
        _ values: Double, _ directions: Double, _ weightDecay: Double, isVector: Bool
    ) -> (weightDecay: Double, ratio: Double) {
        guard !isVector else { return (0, 1) }
        return (weightDecay, values > 0 && directions > 0 ? settings.trustCoeff * values / directions : 1)
    }

    private func timm(_ values: Double, _ gradients: Double, _ learningRate: Double, _ weightDecay: Double) -> Double {
        guard weightDecay != 0 || settings.alwaysAdapt else { return 1 }
        var ratio = 1.0
        if values > 0 && gradients > 0 {
            ratio = settings.trustCoeff * values / (gradients + weightDecay * values + settings.eps)
        }
        return settings.trustClip ? min(ratio / learningRate, 1) : ratio
    }
}
