import ArgumentParser
import Checkpoints
import Cluster
import Objectives
import Platform
import Recipes
import Training

/// The arguments that name a checkpoint and say how its model is taken.
struct CheckpointOptions: ParsableArguments {
    @Argument(help: "A run folder, whose newest valid checkpoint is taken, or the folder of one step.")
    var checkpoint: String

    @Flag(help: "Take the EMA weights.")
    var ema = false

    @Option(name: .customLong("set"), help: "Change a key of the recipe: --set data.evaluation.path=elsewhere.")
    var overrides: [String] = []

    @Option(help: "Compute threads of a rank.")
    var threads: Int?

    func validate() throws { try requirePositive(threads ?? 1, "--threads") }
}

/// A checkpoint with the recipe it was trained by, on every rank of the job.
struct OpenedCheckpoint {
    let place: CheckpointPlace
    let saved: Checkpoint
    let recipe: Recipe
    let session: Session
    private let ema: Bool

    /// Collective.
    init(_ options: CheckpointOptions, over communicator: any Communicator) throws {
        (place, saved, recipe) = try communicator.together {
            let place = try CheckpointPlace(options.checkpoint)
            let saved = try place.newestValid { error in
                if communicator.rank == 0 { writeError("warning: damaged, taking an older one: \(error)") }
            }
            return (place, saved, try Recipe.load(from: saved, overrides: options.overrides))
        }
        session = try Session(threads: options.threads ?? recipe.threads, on: communicator)
        ema = options.ema
    }

    var weights: LoadedModel.Weights { .saved(saved, ema: ema) }
}
