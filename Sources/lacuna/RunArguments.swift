import ArgumentParser
import Cluster
import FoundationEssentials
import Kernels
import Platform
import Recipes
import Training

/// The arguments of verbs that train: where the run lies and how it is watched over.
struct RunArguments: ParsableArguments {
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

    private func options(for file: RecipeFile) throws -> TrainingRun.Options {
        var options = TrainingRun.Options(folder: folder(of: file))
        options.resumes = resume
        options.takesOver = takeover
        options.allowedChanges = Set(allowChange)
        options.watchdogSeconds = watchdogSeconds
        options.job = ProcessInfo.processInfo.environment["SLURM_JOB_ID"] ?? ""
        options.library = Version.text
        options.program = try String(XXHash64.hash(MappedFile("/proc/self/exe").bytes), radix: 16)
        options.recipeText = file.isRun ? [] : (try? InputFile.contents(file.recipe, limit: 1 << 20).array) ?? []
        options.command = CommandLine.arguments
        return options
    }

    func folder(of file: RecipeFile) -> String { folder ?? (file.isRun ? file.recipe : "runs/" + file.name) }

    /// Collective. What the verbs that train have in common: the ranks join, train, and are told how it ended.
    /// - Parameters:
    ///   - prepare: completes the options.
    ///   - conclude: what the verb makes of a run that has ended.
    func train(
        _ file: RecipeFile, _ kind: Recipe.Kind,
        prepare: (inout TrainingRun.Options, any Communicator) throws -> Void = { _, _ in },
        conclude: (EndedRun) throws -> Void
    ) throws {
        let communicator = try Session.join()
        let ended = try amongRanks(of: communicator) {
            let recipe = try file.load(kind, on: communicator)
            let session = try Session(threads: threads ?? recipe.threads, on: communicator)
            var options = try options(for: file)
            try prepare(&options, communicator)
            let training = try TrainingRun(
                recipe, options, communicator: communicator, pool: session.pool, stop: session.stop,
                speaker: session.console)
            let outcome = try training.run()
            session.console.finish()
            let ended = EndedRun(
                recipe: recipe, folder: options.folder, training: training, outcome: outcome, session: session,
                communicator: communicator)
            try conclude(ended)
            return ended
        }
        try communicator.finish()
        try tell(ended.outcome, folder: ended.folder, ended.session.console)
    }

    /// Says how a run ended; one that a signal stopped ends the program with its code.
    private func tell(_ outcome: TrainingRun.Outcome, folder: String, _ console: Console) throws {
        switch outcome {
        case .finished: console.say("done: \(folder)")
        case .wasFinished: console.say("\(folder): this run is finished already")
        case .stopped:
            console.say("stopped by a signal and saved; go on with --resume: \(folder)")
            throw ExitCode(75)
        }
    }
}

/// A run of training that has ended, in its process.
struct EndedRun {
    let recipe: Recipe
    let folder: String
    let training: TrainingRun
    let outcome: TrainingRun.Outcome
    let session: Session
    let communicator: any Communicator

    /// It came to its end now and left a checkpoint to look at.
    var hasNewWeights: Bool { outcome == .finished && recipe.checkpoint != nil }
}

extension RecipeFile {
    /// Collective. The recipe, which must be of a kind.
    func load(_ kind: Recipe.Kind, on communicator: any Communicator) throws -> Recipe {
        try communicator.together {
            let loaded = try load()
            guard loaded.kind == kind else {
                throw TrainingError.kind(recipe, found: loaded.kind.rawValue, expected: kind.rawValue)
            }
            return loaded
        }
    }

    /// The file's name without its ending.
    var name: String {
        let last = recipe.split(separator: "/").last.map(String.init) ?? recipe
        return last.hasSuffix(".yaml") ? String(last.dropLast(5)) : last
    }
}
