import ArgumentParser
import Cluster
import Evaluation
import FoundationEssentials
import Kernels
import Platform
import Recipes
import Training

struct Pretrain: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Train a recipe, alone or as one rank of mpirun.",
        discussion: """
            Examples:
              lacuna pretrain Recipes/simmim-vit_micro-procedural.yaml
              mpirun -np 2 lacuna pretrain Recipes/simmim-vit_micro-fashion_mnist-3ep.yaml --run runs/first
              lacuna pretrain Recipes/simmim-vit_micro-fashion_mnist-3ep.yaml --run runs/first --resume

            SIGUSR1, SIGTERM or Ctrl-C saves and ends with code 75; a second Ctrl-C ends at once. --resume goes on
            from the newest sound checkpoint, bit for bit.

            Under mpirun a signal to any rank stops all of them so. mpirun itself hands on SIGUSR1 only; after SIGTERM
            or Ctrl-C it gives the ranks one second, in which a small model is saved, and returns 1.
            """)

    @OptionGroup var file: RecipeFile

    @Option(name: .customLong("run"), help: "The run folder (default: runs/ and the recipe's name).")
    var folder: String?

    @Flag(help: "Go on from the newest checkpoint of the run folder.")
    var resume = false

    @Flag(help: "Take the folder from an owner on another host that has been silent for 10 minutes.")
    var takeover = false

    @Option(help: "With --resume: a recipe key that may differ from before. May be given several times.")
    var allowChange: [String] = []

    @Option(help: "Compute threads of a rank (default: the recipe's, else what the launcher left to it).")
    var threads: Int?

    @Option(help: "Seconds without progress after which a hanging job is ended.")
    var watchdogSeconds = 600.0

    func validate() throws {
        if let threads, threads < 1 { throw ValidationError("--threads \(threads): at least 1") }
        if watchdogSeconds <= 0 { throw ValidationError("--watchdog-seconds \(watchdogSeconds): more than 0") }
    }

    func run() throws {
        let communicator = try Session.join()
        let (outcome, console) = try amongRanks(of: communicator) { try train(communicator) }
        try communicator.finish()
        switch outcome {
        case .finished: console.say("done: \(runFolder)")
        case .wasFinished: console.say("\(runFolder): this run is finished already")
        case .stopped:
            console.say("stopped by a signal and saved; go on with --resume: \(runFolder)")
            throw ExitCode(75)
        }
    }

    private func train(_ communicator: any Communicator) throws -> (TrainingRun.Outcome, Console) {
        let recipe = try communicator.together {
            let recipe = try file.load()
            guard recipe.kind == .pretrain else {
                throw TrainingError.kind(file.recipe, found: recipe.kind.rawValue, expected: "pretrain")
            }
            return recipe
        }
        let session = try Session(threads: threads ?? recipe.threads, on: communicator)
        var options = TrainingRun.Options(folder: runFolder)
        options.resumes = resume
        options.takesOver = takeover
        options.allowedChanges = Set(allowChange)
        options.watchdogSeconds = watchdogSeconds
        options.job = ProcessInfo.processInfo.environment["SLURM_JOB_ID"] ?? ""
        options.library = Version.text
        options.program = try String(XXHash64.hash(MappedFile("/proc/self/exe").bytes), radix: 16)
        options.recipeText = (try? InputFile.contents(file.recipe, limit: 1 << 20).array) ?? []
        options.command = CommandLine.arguments
        let training = try TrainingRun(
            recipe, options, communicator: communicator, pool: session.pool, stop: session.stop,
            speaker: session.console)
        let outcome = try training.run()
        session.console.finish()
        if outcome == .finished, recipe.checkpoint != nil, communicator.rank == 0 { drawEnd(session) }
        return (outcome, session.console)
    }

    /// A picture of what was learned; a run without it is a whole run all the same.
    private func drawEnd(_ session: Session) {
        do { try Reconstruct.drawEnd(of: runFolder, pool: session.pool) } catch is EvaluationError {
            // The method predicts no pixels.
        } catch { session.console.warn("no picture of reconstructions: \(error)") }
    }

    private var runFolder: String { folder ?? "runs/" + name }

    private var name: String {
        let last = file.recipe.split(separator: "/").last.map(String.init) ?? file.recipe
        return last.hasSuffix(".yaml") ? String(last.dropLast(5)) : last
    }
}
