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
              mpirun -np 2 lacuna pretrain Recipes/simmim-vit_micro-fashion_mnist-3ep.yaml \\
                --run runs/first
              lacuna pretrain Recipes/mtm-token_vit_micro-digits.yaml \\
                --set data.train.path=runs/tokens/digits-train.safetensors
              lacuna pretrain Recipes/simmim-vit_micro-fashion_mnist-3ep.yaml \\
                --run runs/first --resume

            SIGUSR1, SIGTERM or Ctrl-C saves and ends with code 75; a second Ctrl-C ends at once. --resume goes on \
            from the newest valid checkpoint, bit for bit.

            Under mpirun a signal to any rank stops all of them so. mpirun itself hands on SIGUSR1 only; after SIGTERM \
            or Ctrl-C it gives the ranks one second, in which a small model is saved, and returns 1.
            """)

    @OptionGroup var file: RecipeFile
    @OptionGroup var arguments: RunArguments

    func run() throws {
        try arguments.train(file, .pretrain) { ended in
            guard ended.hasNewWeights, ended.communicator.rank == 0 else { return }
            drawEnd(of: ended.folder, ended.session)
            try AdaptAgreement.tell(of: ended.folder, ended.recipe, ended.session)
        }
    }

    /// An image of what was learned, and a look into the layers; a run without them is a whole run all the same.
    private func drawEnd(of run: String, _ session: Session) {
        do { try Reconstruct.drawEnd(of: run, pool: session.pool) } catch is EvaluationError {
            // The method predicts no pixels.
        } catch { session.console.warn("no image of reconstructions: \(error)") }
        do { try Inspect.lookAtEnd(of: run, pool: session.pool) } catch is EvaluationError {
            // The encoder has no subspaces.
        } catch { session.console.warn("no look into the layers: \(error)") }
    }
}
