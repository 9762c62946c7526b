import ArgumentParser
import Checkpoints
import Kernels
import Messages
import Models
import Platform
import Training

struct BenchEncoder: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "encoder",
        abstract:
            "Forward and backward of a convnet's encoder: dense feature maps against visible cells only, in turns.",
        discussion: """
            Examples:
              lacuna bench encoder --batch 2 --steps 1 --ratios 0.6
              lacuna bench encoder --model convnext-small --size 224 --batch 8 --threads 2
            """)

    @Option(help: "resnet18 to resnet200, small16, or convnext-tiny to convnext-large.")
    var model = "resnet50"

    @Option(help: "Side of the images.")
    var size = 224

    @Option(help: "Images of a pass.")
    var batch = 8

    @Option(help: "Mask ratios, separated by commas.")
    var ratios = "0,0.4,0.6,0.75,0.9"

    @OptionGroup var options: BenchOptions

    func validate() throws {
        try options.check(batch: batch)
        guard !shares.isEmpty, shares.allSatisfy({ (0..<1).contains($0) }) else {
            throw ValidationError("--ratios takes numbers from 0 to below 1, separated by commas")
        }
        guard settings != nil else { throw ValidationError("--model: no convnet '\(model)'") }
    }

    private var shares: [Double] { ratios.split(separator: ",").compactMap { Double($0) } }

    private var settings: (any EncoderSettings)? {
        if let size = ResNet.Size(rawValue: model) { return ResNet.Settings(size) }
        let parts = model.split(separator: "-")
        guard parts.count == 2, parts[0] == "convnext" else { return nil }
        return ConvNeXt.Size(rawValue: String(parts[1])).map { ConvNeXt.Settings($0) }
    }

    func run() throws {
        guard let settings else { throw ValidationError("--model: no convnet '\(model)'") }
        let session = try Session(threads: options.threads)
        let peak = GEMMThroughput(measuring: session.pool, seconds: 1)
        let meter = StepMeter(session.console, isQuiet: options.json)
        let benches = try ([nil] + shares.map { $0 }).map {
            try EncoderBench(side: size, batch: batch, ratio: $0, pool: session.pool) { scope in
                let image = ImageSpec(side: size)
                guard
                    let convnet = try settings.encoder(scope, image: image, for: .pretraining)
                        as? any HierarchicalEncoder
                else { throw ValidationError("--model: '\(model)' has no maps of several sides") }
                return convnet
            }
        }
        for step in 0...options.steps {
            let start = MonotonicTime.now
            for bench in benches { bench.pass() }
            meter.show(step: step, of: options.steps, seconds: MonotonicTime.now - start)
        }
        let results = benches.map(\.result)
        writeOutput(options.json ? json(results, peak).line + "\n" : text(results, peak))
    }

    private func text(_ results: [EncoderBench.Result], _ peak: GEMMThroughput) -> String {
        var table = Table(numbers: [1, 2, 3, 4, 5, 6])
        table.add("mask ratio", "ms", "ms an image", "times as fast", "memory", "of whole", "GFLOP/s")
        let whole = results[0]
        for result in results {
            table.add(
                result.ratio.map { fixed($0, digits: 2) } ?? "dense feature maps",
                fixed(result.seconds * 1000, digits: 1),
                fixed(result.seconds * 1000 / Double(batch), digits: 1),
                fixed(whole.seconds / result.seconds, digits: 2),
                sizeText(result.arenaBytes), fixed(Double(result.arenaBytes) / Double(whole.arenaBytes), digits: 2),
                fixed(Double(result.flops) / result.seconds / 1e9, digits: 1))
        }
        var kinds = Table(numbers: [1, 2, 3])
        kinds.add("kind, dense feature maps", "share %", "GFLOP/s", "% of peak")
        let total = whole.kinds.reduce(0) { $0 + $1.seconds }
        for (kind, seconds, flops) in whole.kinds {
            kinds.add(
                kind, fixed(seconds / total * 100, digits: 1),
                flops > 0 ? fixed(flops / seconds / 1e9, digits: 1) : "",
                flops > 0 ? fixed(flops / seconds / peak.flopsPerSecond * 100, digits: 0) : "")
        }
        return """

            \(table.text)
            \(kinds.text)
            Products reach \(fixed(peak.flopsPerSecond / 1e9, digits: 1)) GFLOP/s with \(peak.threads) threads.

            """
    }

    private func json(_ results: [EncoderBench.Result], _ peak: GEMMThroughput) -> JSON {
        let passes = results.map { result in
            JSON.object([
                "mask_ratio": result.ratio.map { JSON.number($0) } ?? JSON.null, "seconds": .number(result.seconds),
                "arena_bytes": .integer(result.arenaBytes), "flops": .integer(result.flops),
            ])
        }
        return .object([
            "model": .string(model), "size": .integer(size), "batch": .integer(batch),
            "threads": .integer(peak.threads), "product_flops_per_second": .number(peak.flopsPerSecond),
            "passes": .array(passes),
        ])
    }
}
