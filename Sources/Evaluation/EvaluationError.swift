/// Why something cannot be evaluated.
public enum EvaluationError: Error, CustomStringConvertible, Equatable {
    /// The method predicts no pixels.
    case noPixels(method: String)

    public var description: String {
        switch self {
        case .noPixels(let method): "objective.kind: '\(method)' predicts no pixels; expected a method that does"
        }
    }
}
