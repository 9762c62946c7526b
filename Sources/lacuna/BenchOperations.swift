import ArgumentParser
import Autodiff
import Checkpoints
import Cluster
import Kernels
import Messages
import Objectives
import Platform
import Recipes
import Training

struct BenchOperations: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ops",
        abstract: "Share of each kind of operation in a step, and its rate against this machine's product peak.",
        discussion: """
            Examples:
              lacuna bench ops
              lacuna bench ops Recipes/simmim-vit_micro-procedural.yaml --batch 64 \\
                --steps 10 --threads 1
            """)

    @Argument(help: "The recipe, a YAML file.")
    var recipe = "Recipes/simmim-vit_small-imagenet_1k-800ep.yaml"

    @Option(name: .customLong("set"), help: "Change a key: --set model.depth=6. May be given several times.")
    var overrides: [String] = []

    @Option(help: "Images of a step.")
    var batch = 8

    @OptionGroup var options: BenchOptions

    func validate() throws { try options.check(batch: batch) }

    func run() throws {
        let recipe = try RecipeFile.load(
            recipe, overrides: overrides + ["batch.global=\(batch)", "batch.grad_accum_steps=1"])
        let session = try Session(threads: options.threads ?? recipe.threads)
        guard session.communicator.size == 1 else {
            throw ValidationError("operations are measured in one process; start it without mpirun")
        }
        let peak = GEMMThroughput(measuring: session.pool, seconds: 1)
        let single =
            peak.threads == 1
            ? peak : GEMMThroughput(measuring: WorkerPool(threads: 1, level: session.pool.level), seconds: 1)
        var planning = PlanOptions()
        planning.measuresTime = true
        let bench = try StepBench(
            recipe, communicator: session.communicator, pool: session.pool, options: planning)
        let meter = StepMeter(session.console, isQuiet: options.json)
        meter.show(step: 0, of: options.steps, seconds: try bench.step(counts: false))
        let before = bench.trainer.plan.timings
        for step in 1...options.steps {
            meter.show(step: step, of: options.steps, seconds: try bench.step())
        }
        let result = try bench.result()
        let shares = OperationShares(
            before: before, after: bench.trainer.plan.timings, steps: options.steps,
            secondsPerStep: bench.meanSecondsPerStep, rest: try bench.timesBesideOperations())
        let guidance = try GuidanceCost(
            recipe, samples: recipe.batch.global / recipe.batch.gradAccumSteps, ranks: 1, pool: session.pool)
        let report = OperationReport(
            shares: shares, peak: peak, single: single, result: result, plannedGuide: guidance?.seconds)
        writeOutput(options.json ? report.json.line + "\n" : report.text)
    }
}

/// The measurement, for people and for programs.
private struct OperationReport {
    let shares: OperationShares
    let peak, single: GEMMThroughput
    let result: StepBench.Result
    /// Seconds of a step that `plan` predicts for a guide; nil without one.
    let plannedGuide: Double?

    var text: String {
        var table = Table(numbers: [1, 2, 3, 4, 5])
        table.add("kind", "forward ms", "backward ms", "share %", "GFLOP/s", "% of peak")
        for row in shares.rows {
            let isProduct = row.flopsPerSecond > 0
            table.add(
                row.kind, row.forward > 0 ? fixed(row.forward, digits: 2) : "", fixed(row.backward, digits: 2),
                fixed(row.share * 100, digits: 1), isProduct ? gigaflops(row.flopsPerSecond) : "",
                isProduct ? fixed(row.flopsPerSecond / peak.flopsPerSecond * 100, digits: 0) : "")
        }
        let whole = result.imagesPerSecond * Double(result.flopsPerImage)
        return """

            \(table.text)
            Products reach \(products).
            A step of \(result.batch) images takes \(fixed(result.secondsPerStep, digits: 4)) s: \
            \(fixed(result.imagesPerSecond, digits: 2)) images/s, \(gigaflops(whole)) GFLOP/s, \
            \(fixed(whole / peak.flopsPerSecond * 100, digits: 0)) % of the peak (\(result.level)).
            \(guide)
            """
    }

    /// Milliseconds of a step that go to the guide's pass and to comparing.
    private var guideTime: Double {
        shares.rows.filter { GuidanceCost.kinds.contains($0.kind) }.reduce(0) { $0 + $1.forward + $1.backward }
    }

    private var guide: String {
        guard let plannedGuide else { return "" }
        let (found, planned) = (guideTime, plannedGuide * 1000)
        return "The guide and the comparisons with it take \(fixed(found, digits: 2)) ms of it; "
            + "plan predicts \(fixed(planned, digits: 2)) ms (\(fixed((planned / found - 1) * 100, digits: 0)) %).\n"
    }

    private var products: String {
        let one = "\(gigaflops(single.flopsPerSecond)) GFLOP/s with 1 thread"
        return peak.threads == 1 ? one : one + ", \(gigaflops(peak.flopsPerSecond)) with \(peak.threads)"
    }

    private func gigaflops(_ rate: Double) -> String { fixed(rate / 1e9, digits: 1) }

    var json: JSON {
        .object([
            "product_flops_per_second": .number(peak.flopsPerSecond),
            "product_flops_per_second_one_thread": .number(single.flopsPerSecond),
            "threads": .integer(peak.threads), "level": .string(result.level), "batch": .integer(result.batch),
            "seconds_per_step": .number(result.secondsPerStep), "images_per_second": .number(result.imagesPerSecond),
            "guide_ms": plannedGuide == nil ? .null : .number(guideTime),
            "planned_guide_ms": plannedGuide.map { .number($0 * 1000) } ?? .null,
            "operations": .array(
                shares.rows.map { row in
                    .object([
                        "kind": .string(row.kind), "forward_ms": .number(row.forward),
                        "backward_ms": .number(row.backward), "share": .number(row.share),
                        "flops_per_second": .number(row.flopsPerSecond),
                    ])
                }),
        ])
    }
}
