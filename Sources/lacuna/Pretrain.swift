import ArgumentParser
import Cluster
import Evaluation
import Recipes
import Training

struct Pretrain: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Train a recipe, alone or as one rank of mpirun.",
        discussion: """
            Examples:
              lacuna pretrain Recipes/simmim-vit_micro-procedural.yaml
              mpirun -np 2 lacuna pretrain Recipes/simmim-vit_micro-fashion_mnist-3ep.yaml --run runs/first
              lacuna pretrain Recipes/mtm-token_vit_micro-digits.yaml --set data.train.path=runs/tokens/digits-train.safetensors
              lacuna pretrain Recipes/simmim-vit_micro-fashion_mnist-3ep.yaml --run runs/first --resume

            SIGUSR1, SIGTERM or Ctrl-C saves and ends with code 75; a second Ctrl-C ends at once. --resume goes on
            from the newest sound checkpoint, bit for bit.

            Under mpirun a signal to any rank stops all of them so. mpirun itself hands on SIGUSR1 only; after SIGTERM
            or Ctrl-C it gives the ranks one second, in which a small model is saved, and returns 1.
            """)

    @OptionGroup var file: RecipeFile
    @OptionGroup var arguments: RunArguments

    func run() throws {
        let communicator = try Session.join()
        let (outcome, console) = try amongRanks(of: communicator) { try train(communicator) }
        try communicator.finish()
        try arguments.tell(outcome, folder: arguments.folder(of: file), console)
    }

    private func train(_ communicator: any Communicator) throws -> (TrainingRun.Outcome, Console) {
        let recipe = try file.load(.pretrain, on: communicator)
        let session = try Session(threads: arguments.threads ?? recipe.threads, on: communicator)
        let options = try arguments.options(for: file)
        let training = try TrainingRun(
            recipe, options, communicator: communicator, pool: session.pool, stop: session.stop,
            speaker: session.console)
        let outcome = try training.run()
        session.console.finish()
        if outcome == .finished, recipe.checkpoint != nil, communicator.rank == 0 {
            drawEnd(of: options.folder, session)
            try AdaptAgreement.tell(of: options.folder, recipe, session)
        }
        return (outcome, session.console)
    }

    /// A picture of what was learned, and a look into the layers; a run without them is a whole run all the same.
    private func drawEnd(of run: String, _ session: Session) {
        do { try Reconstruct.drawEnd(of: run, pool: session.pool) } catch is EvaluationError {
            // The method predicts no pixels.
        } catch { session.console.warn("no picture of reconstructions: \(error)") }
        do { try Inspect.lookAtEnd(of: run, pool: session.pool) } catch is EvaluationError {
            // The encoder has no subspaces.
        } catch { session.console.warn("no look into the layers: \(error)") }
    }
}
