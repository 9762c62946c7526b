import ArgumentParser
import Batches
import Checkpoints
import Cluster
import Evaluation
import FoundationEssentials
import Kernels
import Platform
import Recipes
import Training

struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Look into the layers of a trained CRATE network.",
        discussion: """
            Prints one JSON object: for each layer the coding rate of the tokens in the subspaces before its attention
            step, in nats, and the share of zeros in its output; mean and deviation over the images, for the trained
            weights and for the start they were trained from. Samples come from data.evaluation of the recipe in the
            checkpoint, or from data.train if it has none. Under mpirun each rank measures a part.

            With --pictures also layers.csv and, for a few samples, attention.png (what the class token attends to in
            each head) and components.png (the first principal components of the tokens) in that folder.

            Example: lacuna inspect runs/crate_mae-micro-procedural --images 200 --pictures runs/crate_mae-micro-procedural/images
            """)

    @Argument(help: "A run folder, whose newest sound checkpoint is taken, or the folder of one step.")
    var checkpoint: String

    @Option(help: "Measure over at most so many images, chosen at random.")
    var images = 1_000

    @Option(help: "A folder for pictures and the table of layers.")
    var pictures: String?

    @Option(help: "Samples in a picture.")
    var count = 8

    @Option(
        help: "The layer that pictures show, from 1 (default: the last but one for attention, the last for tokens).")
    var layer: Int?

    @Flag(help: "Take the averaged weights.")
    var average = false

    @Option(name: .customLong("set"), help: "Change a key of the recipe: --set data.evaluation.path=elsewhere.")
    var overrides: [String] = []

    @Option(help: "Compute threads of a rank.")
    var threads: Int?

    func validate() throws {
        try requirePositive(images, "--images")
        try requirePositive(count, "--count")
        try requirePositive(layer ?? 1, "--layer")
        try requirePositive(threads ?? 1, "--threads")
    }

    func run() throws {
        let communicator = try Session.join()
        try amongRanks(of: communicator) { try inspect(communicator) }
    }

    private func inspect(_ communicator: any Communicator) throws {
        let (sound, recipe) = try communicator.together {
            let place = try CheckpointPlace(checkpoint)
            let sound = try place.newestSound { error in
                if communicator.rank == 0 { writeError("warning: damaged, taking an older one: \(error)") }
            }
            return (sound, try Recipe.load(from: sound, overrides: overrides))
        }
        let session = try Session(threads: threads ?? recipe.threads, on: communicator)
        let (source, trained, start) = try communicator.together {
            let source = try Reconstruction.source(of: recipe)
            let trained = try WhiteBox(recipe, source, weights: sound, averaged: average, pool: session.pool)
            if let layer, layer > trained.layerCount {
                throw EvaluationError.noLayer(layer, depth: trained.layerCount)
            }
            return (source, trained, try WhiteBox(recipe, source, weights: nil, pool: session.pool))
        }
        let layers = try measure("trained", trained, session)
        let before = try measure("start", start, session)
        guard communicator.rank == 0 else { return try communicator.finish() }
        var found: [String: JSON] = [
            "checkpoint": .string(sound.path), "step": .integer(sound.step), "data": .string(source.name),
            "images": .integer(layers.images), "layers": layers.json, "start": before.json,
        ]
        if let pictures { found["pictures"] = .array(try draw(trained, layers, in: pictures).map { .string($0) }) }
        writeOutput(try JSON.object(found).line())
        try communicator.finish()
    }

    private func measure(_ task: String, _ whiteBox: WhiteBox, _ session: Session) throws -> LayerMeasurements {
        let meter = ProgressMeter(task, "images", isBesideResult: true)
        let measurements = try whiteBox.measurements(images: images, over: session.communicator) { done, total in
            if session.console.isHeard { meter.show(done, of: total) }
            if session.stop.isSet { throw ExitCode(75) }
        }
        meter.finish()
        return measurements
    }

    /// - Returns: what was written.
    private func draw(
        _ whiteBox: WhiteBox, _ measurements: LayerMeasurements, in folder: String
    ) throws -> [String] {
        try Folder(folder).create()
        let (last, paths) = (
            whiteBox.layerCount - 1, ["layers.csv", "attention.png", "components.png"].map { "\(folder)/\($0)" }
        )
        try OutputFile.write(Array(measurements.table.utf8), to: paths[0])
        let attention = try whiteBox.attention(count, layer: layer.map { $0 - 1 } ?? max(0, last - 1))
        try OutputFile.write(attention.sheet.png(), to: paths[1])
        let components = try whiteBox.components(count, layer: layer.map { $0 - 1 } ?? last)
        try OutputFile.write(components.sheet.png(), to: paths[2])
        return paths
    }
}

extension LayerMeasurements {
    fileprivate var json: JSON {
        .array(
            layers.enumerated().map { index, layer in
                .object([
                    "layer": .integer(index + 1), "rate_mean": .number(layer.rateMean),
                    "rate_std": layer.rateDeviation.map { .number($0) } ?? .null,
                    "zero_mean": .number(layer.zeroMean), "zero_std": .number(layer.zeroDeviation),
                    "nonzero": .number(layer.nonzero),
                ])
            })
    }

    /// Comma-separated, a line for each layer.
    fileprivate var table: String {
        let lines = layers.enumerated().map { index, layer in
            let deviation = layer.rateDeviation.map { "\($0)" } ?? ""
            return
                "\(index + 1),\(layer.rateMean),\(deviation),\(layer.zeroMean),\(layer.zeroDeviation),\(layer.nonzero)\n"
        }
        return "layer,rate_mean,rate_std,zero_mean,zero_std,nonzero\n" + lines.joined()
    }
}
