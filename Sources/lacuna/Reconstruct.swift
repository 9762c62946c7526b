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

struct Reconstruct: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Draw what a trained model makes of masked parts, and measure how far off it is.",
        discussion: """
            For each sample: the image, what the model is shown, and its prediction pasted into the masked part. The \
            masked L1 is the mean error of normalised pixels over all masked ones. Samples come from data.evaluation \
            of the recipe in the checkpoint, or from data.train if it has none.

            Example: lacuna reconstruct runs/simmim-vit_micro-digits --count 8
            """)

    @OptionGroup var checkpoint: CheckpointOptions

    @Option(help: "Samples in the image.")
    var count = 8

    @Option(help: "The image, a PNG file (default: images/step-NUMBER.png in the run folder).")
    var output: String?

    @Option(help: "Measure over at most so many images, chosen at random.")
    var images = 1_000

    func validate() throws {
        try requirePositive(count, "--count")
        try requirePositive(images, "--images")
    }

    func run() throws {
        let opened = try OpenedCheckpoint(checkpoint, over: Session.join())
        let (session, step) = (opened.session, opened.saved.step)
        let source = try opened.recipe.evaluationSource()
        let reconstruction = try Reconstruction(opened.recipe, source, weights: opened.weights, pool: session.pool)
        let output = try output ?? Self.defaultOutput(opened.place.run, step: step)
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
            "step \(step): masked L1 \(fixed(error.value, digits: 4)) over \(error.images) images of \(source.name)"
        )
        try session.communicator.finish()
    }

    /// The image of a run that has just ended, in its folder.
    static func drawEnd(of run: String, pool: WorkerPool) throws {
        let saved = try CheckpointPlace(run).newestValid()
        let recipe = try Recipe.load(from: saved)
        let count = 8
        let reconstruction = try Reconstruction(
            recipe, recipe.evaluationSource(), batch: count, weights: .saved(saved), pool: pool)
        try OutputFile.write(
            reconstruction.images(count).sheet.png(), to: defaultOutput(run, step: saved.step))
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
