import ArgumentParser
import Batches
import Checkpoints
import Cluster
import Evaluation
import Kernels
import Platform
import Recipes
import Training

struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Look into the layers of a trained CRATE network.",
        discussion: """
            Prints one JSON object: for each layer the coding rate of the tokens in the subspaces before its attention \
            step, in nats, and the share of zeros in its output; mean and deviation over the images, for the trained \
            weights and for those they were trained from. Samples come from data.evaluation of the recipe in the \
            checkpoint, or from data.train if it has none. Under mpirun each rank measures a part.

            The same object, a table and two images go to a folder, where 'lacuna report' finds them: what the class \
            token attends to in each head, and the first principal components of the tokens.

            Example: lacuna inspect runs/crate_mae-micro-procedural --images 200
            """)

    @Argument(help: "A run folder, whose newest valid checkpoint is taken, or the folder of one step.")
    var checkpoint: String

    @Option(help: "Measure over at most so many images, chosen at random.")
    var images = 1_000

    @Option(help: "The folder of the results (default: layers in the run folder).")
    var output: String?

    @Option(help: "Samples in an image.")
    var count = 8

    @Option(
        help: "The layer that images show, from 1 (default: the last but one for attention, the last for tokens).")
    var layer: Int?

    @Flag(help: "Take the EMA weights.")
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
        try communicator.finish()
    }

    private func inspect(_ communicator: any Communicator) throws {
        let (place, sound, recipe) = try communicator.together {
            let place = try CheckpointPlace(checkpoint)
            let sound = try place.newestSound { error in
                if communicator.rank == 0 { writeError("warning: damaged, taking an older one: \(error)") }
            }
            return (place, sound, try Recipe.load(from: sound, overrides: overrides))
        }
        let session = try Session(threads: threads ?? recipe.threads, on: communicator)
        let boxes = try communicator.together {
            let boxes = try OpenedBoxes(recipe, sound, averaged: average, pool: session.pool)
            if let layer, layer > boxes.trained.layerCount {
                throw EvaluationError.noLayer(layer, depth: boxes.trained.layerCount)
            }
            return boxes
        }
        var found = try boxes.inspection(images: images, over: communicator) { task, done, total in
            if session.console.isHeard { task.show(done, of: total) }
            try session.stopIfAsked()
        }
        guard communicator.rank == 0 else { return }
        let folder = output ?? LayerInspection.folder(of: place.run ?? ".")
        try boxes.write(&found, count: count, layer: layer, to: folder)
        writeOutput(try found.json())
    }

    /// Looks into a run that has just ended.
    static func lookAtEnd(of run: String, pool: WorkerPool) throws {
        let sound = try CheckpointPlace(run).newestSound()
        let boxes = try OpenedBoxes(Recipe.load(from: sound), sound, averaged: false, pool: pool)
        var found = try boxes.inspection(images: 200, over: SingleProcess()) { _, _, _ in }
        try boxes.write(&found, count: 8, layer: nil, to: LayerInspection.folder(of: run))
    }
}

/// The encoder of a checkpoint, and the one it was trained from.
private struct OpenedBoxes {
    let trained, start: CRATEAnalysis
    private let checkpoint: Checkpoint
    private let data: String

    init(_ recipe: Recipe, _ checkpoint: Checkpoint, averaged: Bool, pool: WorkerPool) throws {
        let source = try recipe.evaluationSource()
        trained = try CRATEAnalysis(recipe, source, weights: checkpoint, averaged: averaged, pool: pool)
        start = try CRATEAnalysis(recipe, source, weights: nil, pool: pool)
        (self.checkpoint, data) = (checkpoint, source.name)
    }

    /// Collective.
    func inspection(
        images: Int, over communicator: any Communicator,
        _ progress: (ProgressMeter, _ done: Int, _ total: Int) throws -> Void
    ) throws -> LayerInspection {
        func measure(_ task: String, _ box: CRATEAnalysis) throws -> LayerMeasurements {
            let meter = ProgressMeter(task, "images", isBesideResult: true)
            return try box.measurements(images: images, over: communicator) { try progress(meter, $0, $1) }
        }
        return try LayerInspection(
            checkpoint: checkpoint.path, step: checkpoint.step, data: data, trained: measure("trained", trained),
            start: measure("start", start))
    }

    func write(_ found: inout LayerInspection, count: Int, layer: Int?, to folder: String) throws {
        try Folder(folder).create()
        let (last, name) = (trained.layerCount - 1, "step-\(checkpoint.step)")
        let attention = try trained.attention(count, layer: layer.map { $0 - 1 } ?? max(0, last - 1))
        let components = try trained.components(count, layer: layer.map { $0 - 1 } ?? last)
        found.files = ["\(name).csv", "\(name)-attention.png", "\(name)-components.png"]
        for (file, bytes) in zip(
            found.files, [Array(found.table.utf8), attention.sheet.png(), components.sheet.png()])
        {
            try OutputFile.write(bytes, to: "\(folder)/\(file)")
        }
        try OutputFile.write(Array(try found.json().utf8), to: "\(folder)/\(name).json")
    }
}
