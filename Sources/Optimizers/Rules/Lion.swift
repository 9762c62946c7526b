public import Kernels
public import Recipes

/// `w *= 1 - ηλ; w -= η·sign(β1·m + (1-β1)·g); m = β2·m + (1-β2)·g`, with sign(0) = 0 and the momentum moved after the
/// step. Source: arXiv 2302.06675, in the form of lucidrains/lion-pytorch.
public struct Lion: UpdateRule {
    public struct Settings: RecipeSection {
        public let betas: [Double]

        public init(betas: [Double] = [0.9, 0.99]) { self.betas = betas }

        public static let meanings = ["betas": "Decay of the momentum in the step and in the state, 0 to below 1."]

        public func check(_ here: Here) { here.requireBetas(betas) }
    }

    public static let kind = "lion"
    private static let kernel = UpdateKernel("lion")
    public let settings: Settings

    public init(_ settings: Settings = Settings()) { self.settings = settings }

    public var stateNames: [String] { ["exp_avg"] }

    public func apply(_ run: ParameterRun, learningRate: Double, weightDecay: Double, step: Int, pool: WorkerPool) {
        let (mix, keep) = (settings.betas[0], settings.betas[1])
        run.update(
            Self.kernel, [1 - learningRate * weightDecay, learningRate, mix, 1 - mix, keep, 1 - keep], pool: pool)
    }
}
