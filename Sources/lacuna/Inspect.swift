import ArgumentParser
import Batches
import Checkpoints
import Cluster
import Evaluation
import Kernels
import Objectives
import Platform
import Recipes
import Training

struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Look into the layers of a trained CRATE network.",
        discussion: """
            Prints one JSON object: for each layer the coding rate of the tokens in the subspaces before its attention \
            step, in nats, and the share of zeros in its output; mean and standard deviation over the images, for the trained \
            weights and for those they were trained from. Samples come from data.evaluation of the recipe in the \
            checkpoint, or from data.train if it has none. Under mpirun each rank measures a part.

            The same object, a table and two images go to a folder, where 'lacuna report' finds them: what the class \
            token attends to in each head, and the first principal components of the tokens.

            Example: lacuna inspect runs/crate_mae-micro-procedural --images 200
            """)

    @OptionGroup var checkpoint: CheckpointOptions

    @Option(help: "Measure over at most so many images, chosen at random.")
    var images = 1_000

    @Option(help: "The folder of the results (default: layers in the run folder).")
    var output: String?

    @Option(help: "Samples in an image.")
    var count = 8

    @Option(
        help: "The layer that images show, from 1 (default: the last but one for attention, the last for tokens).")
    var layer: Int?

    func validate() throws {
        try requirePositive(images, "--images")
        try requirePositive(count, "--count")
        try requirePositive(layer ?? 1, "--layer")
    }

    func run() throws {
        let communicator = try Session.join()
        try amongRanks(of: communicator) { try inspect(communicator) }
        try communicator.finish()
    }

    private func inspect(_ communicator: any Communicator) throws {
        let opened = try OpenedCheckpoint(checkpoint, over: communicator)
        let session = opened.session
        let encoders = try communicator.together {
            let encoders = try InspectedEncoders(opened.recipe, opened.saved, opened.weights, pool: session.pool)
            if let layer, layer > encoders.trained.layerCount {
                throw EvaluationError.noLayer(layer, depth: encoders.trained.layerCount)
            }
            return encoders
        }
        var found = try encoders.inspection(images: images, over: communicator) { task, done, total in
            if session.console.isHeard { task.show(done, of: total) }
            try session.stopIfAsked()
        }
        guard communicator.rank == 0 else { return }
        let folder = output ?? LayerInspection.folder(of: opened.place.run ?? ".")
        try encoders.write(&found, count: count, layer: layer, to: folder)
        writeOutput(try found.json())
    }

    /// Looks into a run that has just ended.
    static func lookAtEnd(of run: String, pool: WorkerPool) throws {
        let saved = try CheckpointPlace(run).newestValid()
        let encoders = try InspectedEncoders(Recipe.load(from: saved), saved, .saved(saved), pool: pool)
        var found = try encoders.inspection(images: 200, over: SingleProcess()) { _, _, _ in }
        try encoders.write(&found, count: 8, layer: nil, to: LayerInspection.folder(of: run))
    }
}

/// The encoder of a checkpoint, and the one it was trained from.
private struct InspectedEncoders {
    let trained, start: CRATEAnalysis
    private let checkpoint: Checkpoint
    private let data: String

    init(_ recipe: Recipe, _ checkpoint: Checkpoint, _ weights: LoadedModel.Weights, pool: WorkerPool) throws {
        let source = try recipe.evaluationSource()
        trained = try CRATEAnalysis(recipe, source, weights: weights, pool: pool)
        start = try CRATEAnalysis(recipe, source, weights: .initial(), pool: pool)
        (self.checkpoint, data) = (checkpoint, source.name)
    }

    /// Collective.
    func inspection(
        images: Int, over communicator: any Communicator,
        _ progress: (ProgressMeter, _ done: Int, _ total: Int) throws -> Void
    ) throws -> LayerInspection {
        func measure(_ task: String, _ encoder: CRATEAnalysis) throws -> LayerMeasurements {
            let meter = ProgressMeter(task, "images", isBesideResult: true)
            return try encoder.measurements(images: images, over: communicator) { try progress(meter, $0, $1) }
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
