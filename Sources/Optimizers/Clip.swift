public import Kernels
public import Recipes

/// Shrinks all gradients together when their global norm N is large. The norm is summed in Double, in an order that
/// depends on the tensors alone, so that every rank forms the same factor.
public struct Clip: RecipePart, Sendable, Equatable {
    public struct Settings: RecipeSection {
        public let maxNorm: Double

        public static let meanings = ["max_norm": "A longer gradient is shortened to this."]

        public func check(_ here: Here) { here.requirePositive(maxNorm, at: "max_norm") }
    }

    public static let key = "clip"
    public static let meaning = "Clipping of the gradient by its norm over all parameters; absent: none."

    /// `torch`: min(1, limit / (N + 1e-6)); `lamb`: min(1, limit / N).
    public enum Form: String, Sendable { case torch, lamb }

    /// No limit: the norm is formed for the log and the finite test only.
    public let limit: Double?
    public let form: Form

    public init(limit: Double?, form: Form = .torch) {
        self.limit = limit
        self.form = form
    }

    /// The clip of a recipe before its update rule.
    public init(_ recipe: Recipe, before rule: any UpdateRule) {
        self.init(limit: recipe.settings(of: Clip.self)?.maxNorm, form: rule.clipForm)
    }

    /// The factor on every gradient for the norm `norm`.
    public func factor(norm: Double) -> Double {
        guard let limit else { return 1 }
        switch form {
        case .torch: return min(1, limit / (norm + 1e-6))
        case .lamb: return norm > 0 ? min(1, limit / norm) : 1
        }
    }

    /// Clips the gradients of `runs` and returns their norm before that; nil and no change when it is not finite:
    /// the update is then skipped on every rank.
    public func apply(to runs: [ParameterRun], pool: WorkerPool) -> Double? {
        let norm = squaredGradientNorm(of: runs, pool: pool).squareRoot()
        guard norm.isFinite else { return nil }
        shrink(runs, norm: norm, pool: pool)
        return norm
    }

    /// The second half of `apply`, for a norm that was summed over ranks.
    public func shrink(_ runs: [ParameterRun], norm: Double, pool: WorkerPool) {
        let factor = Float(factor(norm: norm))
        guard factor != 1 else { return }
        for run in runs { pool.shrink(run.gradients, by: factor, run.pieces) }
    }
}

/// Sum of the squares of all gradients, in Double: the part of one rank where gradients are sharded.
public func squaredGradientNorm(of runs: [ParameterRun], pool: WorkerPool) -> Double {
    var sum = 0.0
    for run in runs { sum += pool.squaredNorm(run.gradients, run.pieces) }
    return sum
}
