/// Why something cannot be evaluated.
public enum EvaluationError: Error, CustomStringConvertible, Equatable {
    /// The method predicts no pixels.
    case noPixels(method: String)
    /// Another library cannot build the model.
    case noCounterpart(_ model: String, _ library: String, reason: String)
    /// A block that the encoder does not have.
    case noLayer(Int, depth: Int)
    /// More blocks than there are up to the last one that is read.
    case noLayers(Int, upTo: Int)
    /// The encoder has no class token.
    case noClassToken
    /// A set without labels cannot be scored.
    case noLabels(set: String)
    /// The recipe names no samples to score on.
    case noTestSet
    /// The encoder has no layers of subspace attention.
    case noSubspaces(model: String)
    /// The method makes no tokens.
    case noTokens(method: String)
    /// The tokenizer was stopped before its codebook stood.
    case noCodebook(place: String)

    public var description: String {
        switch self {
        case .noPixels(let method): "objective.kind: '\(method)' predicts no pixels; expected a method that does"
        case .noCounterpart(let model, let library, let reason):
            "\(library) has no counterpart of \(model): \(reason)"
        case .noLayer(let layer, let depth): "--layer \(layer): the encoder has \(depth) blocks; expected 1 to \(depth)"
        case .noLayers(let layers, let last): "--layers \(layers): expected 1 to \(last), the last block that is read"
        case .noClassToken: "--pool: the encoder has no class token; expected mean"
        case .noLabels(let set): "\(set): no labels; expected a labelled set"
        case .noTestSet:
            "data.evaluation: missing; expected the samples to score on (--set data.evaluation.kind=… and its keys)"
        case .noTokens(let method):
            "objective.kind: '\(method)' makes no tokens; expected vq_tokenizer, as 'lacuna tokenizer' trains it"
        case .noCodebook(let place):
            "\(place): no codebook yet; expected a checkpoint after objective.start_updates"
        case .noSubspaces(let model):
            "model.kind: '\(model)' has no subspaces to look into; expected crate or crate_mae"
        }
    }
}
