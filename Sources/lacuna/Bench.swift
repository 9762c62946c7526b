import ArgumentParser
import Checkpoints
import Cluster
import FoundationEssentials
import Messages
import Platform
import Recipes
import Training

struct Bench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure training steps and operations on synthetic data, and the making of samples.",
        discussion: """
            Examples:
              lacuna bench
              lacuna bench ops Recipes/simmim-vit_micro-procedural.yaml --threads 1 \\
                --steps 20
              lacuna bench step Recipes/simmim-vit_micro-procedural.yaml --threads 1 \\
                --batch 16 --steps 5
              lacuna bench data Recipes/simmim-vit_micro-digits.yaml
              lacuna bench encoder --batch 2 --steps 1 --ratios 0.6
            """,
        subcommands: [BenchOperations.self, BenchStep.self, BenchData.self, BenchEncoder.self],
        defaultSubcommand: BenchOperations.self)
}

/// Options that all measurements of steps take.
struct BenchOptions: ParsableArguments {
    @Option(help: "Compute threads of a rank (default: the recipe's, else what the launcher left to it).")
    var threads: Int?

    @Option(help: "Steps that are timed, after one that is not.")
    var steps = 3

    @Flag(help: "Print one JSON object instead of text.")
    var json = false

    func check(batch: Int) throws {
        guard threads ?? 1 >= 1, steps >= 1, batch >= 1 else {
            throw ValidationError("--threads, --steps and --batch are at least 1")
        }
    }
}

struct BenchStep: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "step", abstract: "Time whole training steps of a recipe, alone or under mpirun.",
        discussion: """
            Examples:
              lacuna bench step Recipes/simmim-vit_micro-procedural.yaml --threads 1 \\
                --batch 16 --steps 5 --json
              mpirun -np 2 lacuna bench step Recipes/simmim-vit_micro-procedural.yaml \\
                --threads 1 --batch 16

            The step is the trainer's own: forward, backward, exchange, clipping, update. Peak memory is the process's.
            """)

    @OptionGroup var file: RecipeFile

    @Option(help: "Images of a rank in a step; takes the place of the recipe's batch.")
    var batch = 16

    @OptionGroup var options: BenchOptions

    func validate() throws { try options.check(batch: batch) }

    func run() throws {
        let ranks = LaunchEnvironment(ProcessInfo.processInfo.environment).ranks
        let recipe = try file.load(changes: ["batch.global=\(batch * ranks)", "batch.grad_accum_steps=1"])
        let session = try Session(threads: options.threads ?? recipe.threads)
        let bench = try StepBench(recipe, communicator: session.communicator, pool: session.pool)
        let meter = StepMeter(session.console, isQuiet: options.json)
        for step in 0...options.steps {
            let seconds = try bench.step(counts: step > 0)
            meter.show(step: step, of: options.steps, seconds: seconds)
        }
        let result = try bench.result()
        try session.communicator.finish()
        if session.console.isHeard { writeOutput(options.json ? result.json.line + "\n" : result.text) }
    }
}

/// Says after each step that it is done.
struct StepMeter {
    private let console: Console
    private let isQuiet: Bool

    init(_ console: Console, isQuiet: Bool) { (self.console, self.isQuiet) = (console, isQuiet) }

    func show(step: Int, of steps: Int, seconds: Double) {
        guard !isQuiet else { return }
        console.say("\(step == 0 ? "warm-up" : "step \(step)/\(steps)")  \(fixed(seconds, digits: 3)) s")
    }
}

extension StepBench.Result {
    fileprivate var text: String {
        var table = Table()
        table.add("images/s", fixed(imagesPerSecond, digits: 2))
        table.add("seconds a step", "\(fixed(secondsPerStep, digits: 4)), the median of \(steps)")
        table.add("batch", "\(ranks) \(ranks == 1 ? "rank" : "ranks") x \(batch) images, \(threads) threads (\(level))")
        table.add("peak memory", "\(sizeText(peakBytes)) a rank")
        table.add("parameters", grouped(parameters))
        table.add("GFLOP an image", fixed(Double(flopsPerImage) / 1e9, digits: 3))
        table.add("GFLOP/s", fixed(imagesPerSecond * Double(flopsPerImage) / 1e9, digits: 1))
        if rankSumsPerStep > 0 {
            table.add("sums of norms", "\(rankSumsPerStep) a step, \(fixed(rankSumSeconds * 1000, digits: 3)) ms each")
        }
        return table.text
    }

    fileprivate var json: JSON {
        .object([
            "images_per_second": .number(imagesPerSecond), "seconds_per_step": .number(secondsPerStep),
            "peak_bytes": .integer(peakBytes), "parameters": .integer(parameters),
            "flops_per_image": .integer(flopsPerImage), "threads": .integer(threads), "level": .string(level),
            "ranks": .integer(ranks), "batch": .integer(batch), "steps": .integer(steps),
            "loss": loss.isFinite ? .number(loss) : .null,
            "rank_sums_per_step": .integer(rankSumsPerStep), "rank_sum_seconds": .number(rankSumSeconds),
        ])
    }
}
