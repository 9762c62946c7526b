public import Messages

/// Why something cannot be evaluated.
public typealias EvaluationError = UserError<EvaluationReason>

public enum EvaluationReason: ErrorReason {
    /// The model or method has not what is asked for.
    case missing

    public var blame: Blame { .request }
}

extension UserError where Reason == EvaluationReason {
    private init(_ place: String, _ found: String, expected: String = "", hint: String = "") {
        self.init(because: .missing, at: place, found: found, expected: expected, hint: hint)
    }

    /// The method predicts no pixels.
    static func noPixels(method: String) -> Self {
        Self("objective.kind", "'\(method)' predicts no pixels", expected: "a method that does")
    }

    /// Another library cannot build the model.
    static func noCounterpart(_ model: String, _ library: String, reason: String) -> Self {
        Self(library, "no counterpart of \(model): \(reason)")
    }

    /// A block that the encoder does not have.
    public static func noLayer(_ layer: Int, depth: Int) -> Self {
        Self("--layer \(layer)", "the encoder has \(depth) blocks", expected: "1 to \(depth)")
    }

    /// More blocks than there are up to the last one that is read.
    public static func noLayers(_ layers: Int, upTo last: Int) -> Self {
        Self("--layers \(layers)", "block \(last) is the last one that is read", expected: "1 to \(last)")
    }

    /// The encoder has no class token.
    static var noClassToken: Self { Self("--pool", "the encoder has no class token", expected: "mean") }

    /// A set without labels cannot be scored.
    public static func noLabels(set: String) -> Self { Self(set, "no labels", expected: "a labelled set") }

    /// The recipe names no samples to score on.
    public static var noTestSet: Self {
        Self(
            "data.evaluation", "missing", expected: "the samples to score on",
            hint: "--set data.evaluation.kind=… and its keys")
    }

    /// The encoder has no layers of subspace attention.
    public static func noSubspaces(model: String) -> Self {
        Self("model.kind", "'\(model)' has no subspaces to look into", expected: "crate or crate_mae")
    }

    /// The method makes no tokens.
    static func noTokens(method: String) -> Self {
        Self(
            "objective.kind", "'\(method)' makes no tokens",
            expected: "vq_tokenizer, as 'lacuna tokenizer' trains it")
    }

    /// The tokenizer was stopped before its codebook stood.
    static func noCodebook(place: String) -> Self {
        Self(place, "no codebook yet", expected: "a checkpoint after objective.start_updates")
    }
}
