import ArgumentParser

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

/// What both measurements take.
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
