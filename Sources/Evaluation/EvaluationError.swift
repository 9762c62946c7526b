/// Why something cannot be evaluated.
public enum EvaluationError: Error, CustomStringConvertible, Equatable {
    /// The method predicts no pixels.
    case noPixels(method: String)
    /// A checkpoint without the recipe of its run.
    case noRecipe(checkpoint: String)

    public var description: String {
        switch self {
        case .noPixels(let method): "objective.kind: '\(method)' predicts no pixels; expected a method that does"
        case .noRecipe(let checkpoint):
            "\(checkpoint): no resolved.yaml in it; expected a checkpoint that 'lacuna pretrain' wrote"
        }
    }
}
