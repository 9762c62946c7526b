/// Why something cannot be evaluated.
public enum EvaluationError: Error, CustomStringConvertible, Equatable {
    /// The method predicts no pixels.
    case noPixels(method: String)
    /// Another library cannot build the model.
    case noCounterpart(_ model: String, _ library: String, reason: String)

    public var description: String {
        switch self {
        case .noPixels(let method): "objective.kind: '\(method)' predicts no pixels; expected a method that does"
        case .noCounterpart(let model, let library, let reason):
            "\(library) has no counterpart of \(model): \(reason)"
        }
    }
}
