public import Autodiff
import Batches
import Models
public import Recipes

/// Early-learning regularisation of a classifier under noisy labels; with `plus` ELR+: two networks that give each other
/// targets by averages of their weights, on mixed images. Source: arXiv 2007.00151, code shengliu66/ELR.
public struct EarlyLearningSettings: RecipeSection, Equatable {
    /// Where the targets of the samples lie.
    public enum Store: String, CaseIterable, Decodable, Sendable {
        /// Replicated up to 512 MiB, sharded beyond.
        case auto
        case replicated, sharded
    }

    /// β: the share of a target that stays at a visit, 0..<1.
    public let beta: Double
    /// λ, the weight of the penalty.
    public let lambda: Double
    public let store: Store
    public let plus: Plus?

    public init(beta: Double, lambda: Double, store: Store = .auto, plus: Plus? = nil) {
        (self.beta, self.lambda, self.store, self.plus) = (beta, lambda, store, plus)
    }

    public static let defaults = ["store": "auto"]
    public static let meanings = [
        "beta": "Share of a sample's target that stays at a visit, 0 to below 1.",
        "lambda": "Weight of the penalty; the sensitive one: 1 to 10.",
        "store":
            "Targets on every rank (replicated) or cut over the ranks (sharded); auto: replicated up to 512 MiB a rank.",
        "plus": "ELR+: two networks, EMA weights, mixup; absent: one network.",
    ]

    public func check(_ here: Here) {
        here.require((0..<1).contains(beta), at: "beta", "0 to below 1 expected, found \(beta)")
        here.require(lambda > 0, at: "lambda", "more than 0 expected, found \(lambda)")
    }

    /// What the second network adds.
    public struct Plus: RecipeSection, Equatable {
        /// α of mixup's Beta(α, α).
        public let mixupAlpha: Double
        /// Share of an average that stays at an update, once the ramp is over.
        public let emaAlpha: Double
        /// Length of that share's ramp, updates of one network; nil: min(1 − 1/(s + 1), ema_alpha).
        public let emaStep: Int?
        /// Length of the penalty's ramp, updates of one network; 0: none.
        public let coefStep: Int
        public let reweightLabels: Bool
        /// Samples that share a draw and are mixed among themselves; nil: the whole batch.
        public let mixupSlice: Int?

        public init(
            mixupAlpha: Double, emaAlpha: Double, emaStep: Int?, coefStep: Int = 0, reweightLabels: Bool = false,
            mixupSlice: Int? = nil
        ) {
            (self.mixupAlpha, self.emaAlpha, self.emaStep) = (mixupAlpha, emaAlpha, emaStep)
            (self.coefStep, self.reweightLabels, self.mixupSlice) = (coefStep, reweightLabels, mixupSlice)
        }

        public static let defaults = ["coef_step": "0", "reweight_labels": "false"]
        public static let meanings = [
            "mixup_alpha": "alpha of mixup's Beta(alpha, alpha).",
            "ema_alpha": "Share of the EMA weights that stays at an update, 0 to below 1.",
            "ema_step":
                "Updates of a network over which that share grows; absent: it is min(1 - 1/(s + 1), ema_alpha) at update s.",
            "coef_step": "Updates of a network over which the penalty grows; 0: none.",
            "reweight_labels": "Mixed labels are multiplied by the mixed targets and divided by their sum.",
            "mixup_slice":
                "Samples that are mixed among themselves with one draw. It divides the micro-batch of a rank, so that any "
                + "number of ranks mixes alike; absent: the whole batch, on one rank.",
        ]

        public func check(_ here: Here) {
            here.require(mixupAlpha > 0, at: "mixup_alpha", "more than 0 expected, found \(mixupAlpha)")
            here.require((0..<1).contains(emaAlpha), at: "ema_alpha", "0 to below 1 expected, found \(emaAlpha)")
            here.requirePositive(["ema_step": emaStep, "mixup_slice": mixupSlice])
            here.require(coefStep >= 0, at: "coef_step", "0 or more expected, found \(coefStep)")
        }
    }
}

extension EarlyLearningSettings {
    /// Rules with the rest of the recipe.
    func check(_ recipe: Recipe, _ here: Here) {
        let all = here.recipe
        all.require(
            recipe.batch.augRepeats == 1, at: "batch.aug_repeats", reading: ["objective.elr"],
            "a sample must not come twice in a batch: its target could follow only one of the two")
        for (key, mixes) in [
            (Mixing.key, recipe.has(Mixing.key)), (TokenMixing.key, recipe.has(TokenMixing.key)),
            (TokenGeometry.key + ".mix", recipe.settings(of: TokenGeometry.self)?.mix != nil),
        ] {
            all.require(
                !mixes, at: key, reading: ["objective.elr"],
                "a target is of one image; ELR+ mixes by itself (objective.elr.plus.mixup_alpha)")
        }
        guard let plus else { return }
        let model = try? recipe.model.decode(TokenTransformer.Settings.self)
        all.require(
            recipe.tokens == nil || model?.input == .vectors, at: "model.input",
            reading: ["model", "tokens", "objective.elr.plus"],
            "ELR+ blends what the model sees, and ids have no mean: 'vectors' expected")
        all.require(
            !recipe.has(EMA.key), at: "ema", reading: ["objective.elr.plus"],
            "ELR+ keeps averages of its own for the targets and is scored by its networks")
        all.require(
            recipe.schedule.updates == nil, at: "schedule.updates", reading: ["objective.elr.plus"],
            "the two networks take turns by epochs: give the length in epochs")
        let micro = recipe.batch.global / max(recipe.batch.gradAccumSteps, 1)
        if let slice = plus.mixupSlice {
            all.require(
                micro % max(slice, 1) == 0, at: "objective.elr.plus.mixup_slice",
                reading: ["batch.global", "batch.grad_accum_steps"],
                "\(slice) does not divide the \(micro) samples of a micro-batch")
        }
    }
}

/// What early-learning regularisation brings along.
public struct EarlyLearningTensors {
    /// The targets of the samples before this step, (B, classes).
    public let rows: Tensor
    /// ELR+: the targets of mixed images, (B, classes), and the factor on the penalty, (1).
    public let mixed: (targets: Tensor, factor: Tensor)?

    public init(rows: Tensor, mixed: (targets: Tensor, factor: Tensor)? = nil) {
        self.rows = rows
        self.mixed = mixed
    }
}
