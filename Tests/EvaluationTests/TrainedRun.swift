import Cluster
import Platform
import Recipes
import Training

/// Trains the recipe to its end in the folder.
func train(_ recipe: Recipe, in folder: String) throws {
    struct Nobody: RunSpeaker {
        func say(_ line: String) {}
        func warn(_ line: String) {}
        func warnFromAnyRank(_ line: String) {}
        func show(_ line: String) {}
    }
    _ = try TrainingRun(
        recipe, TrainingRun.Options(folder: folder), communicator: SingleProcess(), pool: pool,
        stop: .handlingSignals(),
        speaker: Nobody()
    ).run()
}
