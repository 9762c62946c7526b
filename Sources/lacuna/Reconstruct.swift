import ArgumentParser
import Batches
import Checkpoints
import Cluster
import Evaluation
import Kernels
import Platform
import Recipes
import Training

struct Reconstruct: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Draw what a trained model makes of hidden parts, and measure how far off it is.",
        discussion: """
            For each sample: the image, what the model is shown, and its prediction pasted into the hidden part. The \
            masked L1 is the mean error of normalised pixels over all hidden ones. Samples come from data.evaluation \
            of the recipe in the checkpoint, or from data.train if it has none.

            Example: lacuna reconstruct runs/simmim-vit_micro-digits --count 8
            """)

    @Argument(help: "A run folder, whose newest valid checkpoint is taken, or the folder of one step.")
    var checkpoint: String

    @Option(help: "Samples in the image.")
    var count = 8

    @Option(help: "The image, a PNG file (default: images/step-NUMBER.png in the run folder).")
    var output: String?

    @Option(help: "Measure over at most so many images, chosen at random.")
    var images = 1_000

    @Flag(help: "Take the EMA weights.")
    var average = false

    @Option(name: .customLong("set"), help: "Change a key of the recipe: --set data.evaluation.path=elsewhere.")
    var overrides: [String] = []

    @Option(help: "Compute threads.")
    var threads: Int?

    func validate() throws {
        try requirePositive(count, "--count")
        try requirePositive(images, "--images")
        try requirePositive(threads ?? 1, "--threads")
    }

    func run() throws {
        let place = try CheckpointPlace(checkpoint)
        let sound = try place.newestSound { writeError("warning: damaged, taking an older one: \($0)") }
        let recipe = try Recipe.load(from: sound, overrides: overrides)
        let session = try Session(threads: threads ?? recipe.threads)
        let source = try recipe.evaluationSource()
        let reconstruction = try Reconstruction(
            recipe, source, weights: sound, averaged: average, pool: session.pool)
        let output = try output ?? Self.defaultOutput(place.run, step: sound.step)
        let grid = try reconstruction.images(count)
        try OutputFile.write(grid.sheet.png(), to: output)
        session.console.say(
            "\(output): \(min(count, source.count)) samples of \(source.name), each "
                + grid.titles.joined(separator: ", "))
        let meter = ProgressMeter("measure", "images")
        let error = try reconstruction.maskedError(images: images) { done, total in
            meter.show(done, of: total)
            try session.stopIfAsked()
        }
        meter.finish()
        session.console.say(
            "step \(sound.step): masked L1 \(fixed(error.value, digits: 4)) over \(error.images) images of \(source.name)"
        )
        try session.communicator.finish()
    }

    /// The image of a run that has just ended, in its folder.
    static func drawEnd(of run: String, pool: WorkerPool) throws {
        let sound = try CheckpointPlace(run).newestSound()
        let recipe = try Recipe.load(from: sound)
        let count = 8
        let reconstruction = try Reconstruction(
            recipe, recipe.evaluationSource(), batch: count, weights: sound, pool: pool)
        try OutputFile.write(
            reconstruction.images(count).sheet.png(), to: defaultOutput(run, step: sound.step))
    }

    private static func defaultOutput(_ run: String?, step: Int) throws -> String {
        guard let run else { return "step-\(step).png" }
        try Folder(run + "/images").create()
        return run + "/images/step-\(step).png"
    }
}

extension OutputFile {
    /// Writes a file whole or not at all.
    static func write(_ bytes: [UInt8], to path: String) throws(FileError) {
        let file = try OutputFile(replacing: path)
        try file.write(bytes)
        try file.commit()
    }
}
