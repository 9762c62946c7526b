import ArgumentParser
import Platform

/// The program: one file of this folder for each verb.
@main
struct Lacuna: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lacuna",
        abstract: "Masked self-supervised pretraining on CPUs, alone or over MPI.",
        discussion: """
            A first run, on images that need no download:
              lacuna pretrain Recipes/simmim-vit_micro-procedural.yaml

            Exit codes: 0 done, 1 internal, 64 usage or recipe, 65 data, 74 input or output, 75 stopped and resumable, \
            76 a rank is lost or hangs, 78 environment.
            """,
        version: Version.text,
        subcommands: [
            Pretrain.self, Finetune.self, TokenizerVerb.self, Tokenize.self, TokensVerb.self, PlanVerb.self,
            RecipeVerb.self, DataVerb.self, CheckpointVerb.self,
            Reconstruct.self, Inspect.self, Probe.self, NearestNeighbour.self, Embed.self, ReportVerb.self, Bench.self,
            Doctor.self,
        ])

    static func main() {
        ignoreFileSizeSignal()
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch  where isOwn(error) {
            writeError("lacuna: \(error)")
            exitAtOnce(code(of: error))
        } catch {
            exit(withError: error)
        }
    }

    /// Errors of the argument parser know their own text and code.
    private static func isOwn(_ error: any Error) -> Bool {
        !(error is ExitCode || error is CleanExit || error is ValidationError)
            && Lacuna.exitCode(for: error) == .failure
    }
}

/// Version of the program, as checkpoints and reports carry it.
enum Version {
    static let text = "0.1.0"
}
