import Batches
import ArgumentParser
import Autodiff
import Checkpoints
import FoundationEssentials
import Kernels
import Messages
import Objectives
import Platform
import Recipes
import Training

struct PlanVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Show what a recipe computes and what it will cost, without training.",
        discussion: """
            Examples:
              lacuna plan Recipes/simmim-vit_micro-procedural.yaml
              lacuna plan Recipes/simmim-vit_base-imagenet_1k-800ep.yaml --ranks 32 \\
                --threads 16

            The memory that it counts is not taken: a large plan can be made on a small machine. The data need not be \
            there. The time is predicted from this machine's speed, as if each rank had a machine like it.
            """)

    @OptionGroup var file: RecipeFile

    @Option(help: "Processes of the run.")
    var ranks = 1

    @Option(help: "Compute threads of a rank (default: the recipe's, else this machine's shared by the ranks).")
    var threads: Int?

    @Flag(help: "Print one JSON object instead of text.")
    var json = false

    func validate() throws {
        guard ranks >= 1, threads ?? 1 >= 1 else { throw ValidationError("--ranks and --threads are at least 1") }
    }

    func run() throws {
        let recipe = try file.load()
        let summary = try PlanSummary(recipe, ranks: ranks)
        let processors = Processors.detected().usable
        let threads = threads ?? recipe.threads ?? max(1, processors / ranks)
        let level = try Session.level(ProcessInfo.processInfo.environment)
        let pool = WorkerPool(threads: min(threads, processors), level: level)
        let cost = Cost(
            summary, threads: threads, rate: GEMMThroughput(measuring: pool),
            guidance: try GuidanceCost(recipe, samples: summary.samples, ranks: ranks, pool: pool).map {
                ($0, Double(pool.threads) / Double(threads))
            })
        writeOutput(json ? cost.json.line + "\n" : cost.text)
    }
}

/// A plan with the speed of this machine, for people and for programs.
private struct Cost {
    let summary: PlanSummary
    let threads: Int
    let rate: GEMMThroughput
    let secondsPerUpdate: Double
    let memory: Memory
    /// Seconds of an update that a guide takes.
    let guideSeconds: Double?

    /// - Parameter guidance: measured, and the threads that measured over those of a rank.
    init(_ summary: PlanSummary, threads: Int, rate: GEMMThroughput, guidance: (cost: GuidanceCost, scale: Double)?) {
        (self.summary, self.threads, self.rate) = (summary, threads, rate)
        memory = .detected()
        guideSeconds = guidance.map { $0.cost.seconds * $0.scale * Double(summary.recipe.batch.gradAccumSteps) }
        secondsPerUpdate =
            summary.secondsPerUpdate(
                flopsPerSecond: rate.flopsPerSecond / Double(rate.threads), threads: threads,
                share: PlanSummary.usualShare) + (guideSeconds ?? 0)
    }

    var text: String { operations + "\n" + totals.text + storage + remarks }

    /// Size of a tokenizer's token sets, of this data and of ImageNet-1k.
    private var storage: String {
        guard let tokens = summary.tokens else { return "" }
        var table = Table(numbers: [1, 2, 3, 4])
        table.add(
            "tokens, \(tokens.side) x \(tokens.side) of \(tokens.codes)", "bytes an image", "of the data here",
            "ImageNet-1k",
            "of JPEG")
        let jpeg = TokenStorage.imageNetBytes / Double(TokenStorage.imageNetImages)
        let (images, ofJPEG) = (Double(TokenStorage.imageNetImages), 100 / jpeg)
        func row(_ name: String, _ bytes: Double, isHere: Bool = true) {
            let source = isHere ? summary.sourceBytesPerImage : nil
            let here = source.map { fixed(100 * bytes / $0, digits: 1) + " %" } ?? "-"
            table.add(
                name, fixed(bytes, digits: 0), here, fixed(bytes * images / 1e9, digits: 3) + " GB",
                fixed(bytes * ofJPEG, digits: 2) + " %")
        }
        for form in TokenStorage(side: tokens.side, codes: tokens.codes).forms { row(form.name, form.bytesPerImage) }
        row("JPEG files of ImageNet-1k", jpeg, isHere: false)
        return "\n" + table.text
    }

    private var operations: String {
        var table = Table(numbers: [3, 4])
        table.add("operation", "kind", "output", "parameters", "GFLOP")
        for row in summary.report.rows {
            table.add(
                row.name, row.kind, "\(row.shape)", row.parameters > 0 ? grouped(row.parameters) : "",
                row.flops > 0 ? fixed(Double(row.flops) / 1e9, digits: 3) : "")
        }
        return table.text
    }

    private var totals: Table {
        let (report, recipe) = (summary.report, summary.recipe)
        var table = Table()
        table.add("parameters", grouped(report.parameterCount))
        table.add("one image", "\(gigaflops(summary.flopsPerImage)) GFLOP, forward and backward")
        let accumulation = recipe.batch.gradAccumSteps
        table.add(
            "batch",
            "\(recipe.batch.global) images an update = \(summary.ranks) \(summary.ranks == 1 ? "rank" : "ranks") x "
                + "\(accumulation) micro-\(accumulation == 1 ? "batch" : "batches") x \(summary.samples)")
        addMemory(to: &table)
        let buckets = "\(report.bucketBytes.count) \(report.bucketBytes.count == 1 ? "bucket" : "buckets")"
        table.add(
            "exchange of a step",
            summary.ranks > 1 ? "\(sizeText(summary.exchangedBytes)) a rank, in \(buckets)" : "none with one rank")
        table.add("checkpoint", sizeText(summary.checkpointBytes))
        if let length = summary.length {
            table.add("data", "\(length.data), \(grouped(length.images)) images")
            table.add(
                "length", "\(grouped(length.updates)) updates, \(grouped(length.updatesPerEpoch)) an epoch")
        } else {
            table.add("data", "not there: \(summary.dataProblem ?? "")")
            table.add("length", "known when the data is there")
        }
        addTime(to: &table)
        return table
    }

    private func addMemory(to table: inout Table) {
        let report = summary.report
        table.add("memory of a rank", sizeText(summary.memoryBytes))
        table.add(
            "  parameters",
            sizeText(summary.parameterBytes) + (summary.networks > 1 ? ", \(summary.networks) networks" : ""))
        table.add("  gradients", sizeText(report.gradientBytes))
        table.add("  state of the rule", sizeText(summary.stateBytes))
        if summary.averageBytes > 0 { table.add("  EMA weights", sizeText(summary.averageBytes)) }
        if let targets = summary.targets {
            table.add(
                "  targets of samples", "\(sizeText(targets.bytes)), \(targets.areSharded ? "sharded" : "replicated")")
        }
        if summary.gatheredTargetBytes > 0 {
            table.add("  all targets", "\(sizeText(summary.gatheredTargetBytes)), on rank 0 during a checkpoint")
        }
        table.add(
            "  values and scratch",
            "\(sizeText(report.arenaBytes)), \(sizeText(report.unsharedBytes)) if nothing shared memory; "
                + "\(report.recomputedOperations) operations computed again in backward")
        if let saved = summary.savedBytes {
            let share = 100 * Double(report.recomputedFlops) / Double(report.flops)
            table.add(
                "  saved by computing again", "\(sizeText(saved)), for \(fixed(share, digits: 0)) % more operations")
        }
        if summary.evaluationBytes > 0 { table.add("  evaluation", sizeText(summary.evaluationBytes)) }
        if let guidance = summary.hooks.guidance {
            table.add("  guide", "\(sizeText(guidance.bytes)), until its last update")
        }
        table.add(
            "  batches held ready", "\(sizeText(summary.loaderBytes)), \(summary.recipe.loader.prefetchBatches) slots")
    }

    private func addTime(to table: inout Table) {
        if let guidance = summary.hooks.guidance, let guideSeconds {
            let flops = (guidance.guide.flops + guidance.planFlops) / summary.samples
            table.add(
                "guide",
                "\(guidance.pairs.count) pairs, \(gigaflops(flops)) GFLOP an image; "
                    + "\(fixed(guideSeconds, digits: 3)) s of an update, measured here")
        }
        table.add(
            "predicted update",
            "\(fixed(secondsPerUpdate, digits: secondsPerUpdate < 1 ? 3 : 1)) s with \(threads) "
                + "\(threads == 1 ? "thread" : "threads") a rank, exchange not counted")
        if let seconds = secondsOfRun { table.add("predicted run", clock(seconds)) }
    }

    private var remarks: String {
        let product = fixed(rate.flopsPerSecond / 1e9, digits: 0)
        var text = "\nMeasured here: products at \(product) GFLOP/s with \(rate.threads) "
        text += "\(rate.threads == 1 ? "thread" : "threads"); a step is taken to reach "
        text += "\(fixed(PlanSummary.usualShare * 100, digits: 0)) % of it.\n"
        if summary.memoryBytes > memory.available {
            text += "warning: a rank needs \(sizeText(summary.memoryBytes)), this machine has "
            text += "\(sizeText(memory.available)) to give. Use more ranks on more machines, a larger "
            text += "batch.grad_accum_steps, or 'recompute: true' where the network has it.\n"
        }
        return text
    }

    private var secondsOfRun: Double? { summary.length.map { Double($0.updates) * secondsPerUpdate } }

    private func gigaflops(_ flops: Int) -> String { fixed(Double(flops) / 1e9, digits: flops < 1_000_000_000 ? 4 : 1) }

    var json: JSON {
        let report = summary.report
        var values: JSON.Members = [
            "parameters": .integer(report.parameterCount), "flops_per_image": .integer(summary.flopsPerImage),
            "ranks": .integer(summary.ranks), "threads": .integer(threads),
            "global_batch": .integer(summary.recipe.batch.global),
            "micro_batches": .integer(summary.recipe.batch.gradAccumSteps), "samples": .integer(summary.samples),
            "memory_bytes": .integer(summary.memoryBytes), "parameter_bytes": .integer(summary.parameterBytes),
            "gradient_bytes": .integer(report.gradientBytes), "state_bytes": .integer(summary.stateBytes),
            "average_bytes": .integer(summary.averageBytes), "arena_bytes": .integer(report.arenaBytes),
            "evaluation_bytes": .integer(summary.evaluationBytes), "unshared_bytes": .integer(report.unsharedBytes),
            "loader_bytes": .integer(summary.loaderBytes),
            "recomputed_operations": .integer(report.recomputedOperations),
            "recomputed_flops": .integer(report.recomputedFlops),
            "bucket_bytes": .array(report.bucketBytes.map(JSON.integer)),
            "exchanged_bytes": .integer(summary.exchangedBytes), "checkpoint_bytes": .integer(summary.checkpointBytes),
            "product_flops_per_second": .number(rate.flopsPerSecond.rounded()),
            "seconds_per_update": .number(secondsPerUpdate),
        ]
        if let targets = summary.targets { values["target_bytes"] = .integer(targets.bytes) }
        if summary.gatheredTargetBytes > 0 { values["gathered_target_bytes"] = .integer(summary.gatheredTargetBytes) }
        if summary.networks > 1 { values["networks"] = .integer(summary.networks) }
        values["operations"] = .array(report.rows.map(Self.json))
        addParts(to: &values)
        return .object(values)
    }

    /// The parts that not every recipe has.
    private func addParts(to values: inout JSON.Members) {
        if let tokens = summary.tokens {
            values["token_bytes_per_image"] = .object(
                .init(
                    Dictionary(
                        uniqueKeysWithValues: TokenStorage(side: tokens.side, codes: tokens.codes).forms.map {
                            ($0.name, .number($0.bytesPerImage))
                        })))
        }
        if let guidance = summary.hooks.guidance, let guideSeconds {
            values["guidance"] = .object([
                "pairs": .array(guidance.pairs.map { .string($0.name) }), "guide_flops": .integer(guidance.guide.flops),
                "comparison_flops": .integer(guidance.planFlops), "bytes": .integer(guidance.bytes),
                "exchanged_bytes": .integer(summary.ranks > 1 ? guidance.exchangedBytes : 0),
                "seconds_per_update": .number(guideSeconds),
            ])
        }
        if let length = summary.length {
            values["images"] = .integer(length.images)
            values["updates_per_epoch"] = .integer(length.updatesPerEpoch)
            values["updates"] = .integer(length.updates)
            values["seconds"] = secondsOfRun.map(JSON.number)
        } else {
            values["data_problem"] = .string(summary.dataProblem ?? "")
        }
    }

    private static func json(_ row: PlanReport.Row) -> JSON {
        .object([
            "name": .string(row.name), "kind": .string(row.kind),
            "shape": .array(row.shape.extents.map(JSON.integer)), "parameters": .integer(row.parameters),
            "flops": .integer(row.flops), "backward_flops": .integer(row.backwardFlops),
        ])
    }
}

/// `22,145,760`
func grouped(_ number: Int) -> String {
    var text = ""
    for (place, digit) in String(abs(number)).reversed().enumerated() {
        if place > 0 && place % 3 == 0 { text.append(",") }
        text.append(digit)
    }
    return (number < 0 ? "-" : "") + String(text.reversed())
}
