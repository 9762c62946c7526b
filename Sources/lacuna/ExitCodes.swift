import Autodiff
import Batches
import Cluster
import Messages
import Platform
import Recipes
import Training

/// Which exit code an error deserves: batch scripts decide by it whether to start again.
func code(of error: any Error) -> Int32 {
    switch error {
    case let error as any BlamingError:
        switch error.blame {
        case .request: return 64
        case .data: return 65
        case .storage: return 74
        }
    case is RecipeError, is PlanError: return 64
    case is SampleError: return 65
    case is FileError: return 74
    case is StoppedBySignal: return 75
    case let error as ClusterError:
        switch error {
        case .call: return 76
        case .singletons, .threadLevel, .recovery, .mismatch: return 78
        }
    case let error as TrainingError:
        switch error {
        case .batch, .kind, .alreadyStarted, .noScores, .encoder, .classes, .weights, .otherHook, .otherStart:
            return 64
        case .cannotSave: return 74
        case .notFinite: return 1
        }
    case is EnvironmentError: return 78
    // Other ranks met it and know its code.
    case let error as SharedError: return error.own.map(code(of:)) ?? 0
    default: return 1
    }
}

/// A signal ended work that has no checkpoint of its own.
struct StoppedBySignal: Error, CustomStringConvertible {
    /// Remains of the work, for people.
    var hint: String?
    var description: String { "stopped by a signal" + (hint.map { "; \($0)" } ?? "") }
}
