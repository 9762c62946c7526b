import Kernels
import Optimizers
import Recipes

/// Signum: the sign of the running gradient is the step, `m = β·m + (1-β)·g` and
/// `w = (1-ηλ)·w - η·sign(m)`. Source: arXiv 1802.04434.
public struct SignMomentum: UpdateRule {
    public struct Settings: RecipeSection {
        let beta: Double

        public static let meanings = ["beta": "Kept share of the running gradient, 0 to below 1."]

        public func check(_ here: Here) {
            here.require((0..<1).contains(beta), at: "beta", "0 to below 1 expected, found \(beta)")
        }
    }

    public static let kind = "sign_momentum"
    private static let kernel = UpdateKernel("lion")
    private let beta: Double

    public init(_ settings: Settings) { beta = settings.beta }

    public var stateNames: [String] { ["momentum"] }

    public func apply(
        _ run: ParameterRun, learningRate: Double, weightDecay: Double, step: Int, pool: WorkerPool
    ) {
        // Lion's kernel with one β for the step and for the state.
        let keep = 1 - learningRate * weightDecay
        run.update(
            Self.kernel, [keep, learningRate, beta, 1 - beta, beta, 1 - beta], pool: pool)
    }
}
