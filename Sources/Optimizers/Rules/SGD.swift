public import Kernels
public import Recipes

/// Descent with momentum: `d = g + λw; b = d at the first update, then μb + (1-τ)d; w -= η·b`, or `η(d + μb)` in
/// Nesterov's form. The learning rate stays outside the buffer, so a change of it acts at once. Source: torch.optim.SGD.
public struct SGD: UpdateRule {
    public struct Settings: RecipeSection {
        public let momentum, dampening: Double
        public let nesterov: Bool

        public init(momentum: Double = 0, dampening: Double = 0, nesterov: Bool = false) {
            (self.momentum, self.dampening, self.nesterov) = (momentum, dampening, nesterov)
        }

        public static let defaults = ["dampening": "0", "nesterov": "false"]
        public static let meanings = [
            "momentum": "Decay of the running gradient, 0 to below 1.",
            "dampening": "Share of a new gradient that the running one leaves out.",
            "nesterov": "Look one momentum step ahead.",
        ]

        public func check(_ here: Here) { here.requireMomentum(momentum, dampening, nesterov) }
    }

    public static let kind = "sgd"
    public let settings: Settings

    public init(_ settings: Settings = Settings()) { self.settings = settings }

    public var stateNames: [String] { settings.momentum == 0 ? [] : ["momentum_buffer"] }

    public func apply(_ run: ParameterRun, learningRate: Double, weightDecay: Double, step: Int, pool: WorkerPool) {
        let momentum = Momentum(settings.momentum, dampening: settings.dampening, nesterov: settings.nesterov)
        momentum.apply(
            run.values, run.gradients, run.state, run.pieces, learningRate: learningRate, weightDecay: weightDecay,
            isFirst: step == 1, pool: pool)
    }
}

/// The running gradient of SGD, LARS and linear heads: `b = μb + (1-τ)d` for a direction d.
package struct Momentum: Sendable {
    private static let buffered = UpdateKernel("momentum"), plain = UpdateKernel("descend")
    private let momentum, dampening: Double
    private let nesterov: Bool

    package init(_ momentum: Double, dampening: Double = 0, nesterov: Bool = false) {
        (self.momentum, self.dampening, self.nesterov) = (momentum, dampening, nesterov)
    }

    /// - Parameters:
    ///   - state: one buffer, or none for plain descent.
    ///   - isFirst: the buffer starts as the undamped direction.
    ///   - factors: weight decay and ratio r of each tensor, for the direction `d = r(g + λw)`.
    package func apply(
        _ values: Floats, _ gradients: Floats, _ state: [Floats], _ pieces: UpdatePieces, learningRate: Double,
        weightDecay: Double = 0, isFirst: Bool, factors: Floats? = nil, pool: WorkerPool
    ) {
        guard !state.isEmpty else {
            return pool.update(
                Self.plain, values, gradients, state: state, [weightDecay, 1, learningRate], pieces, factors: factors)
        }
        pool.update(
            Self.buffered, values, gradients, state: state,
            [
                weightDecay, 1, learningRate, isFirst ? 0 : momentum, isFirst ? 1 : 1 - dampening, nesterov ? 1 : 0,
                nesterov ? momentum : 1,
            ], pieces, factors: factors)
    }
}
