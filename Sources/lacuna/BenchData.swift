import ArgumentParser
import Batches
import Checkpoints
import Kernels
import Messages
import Objectives
import Platform
import Recipes
import Training

struct BenchData: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "data",
        abstract: "Measure how many training samples one core reads, decodes and augments in a second.",
        discussion: """
            One thread, whose own computing time counts; waiting for files does not.

            Examples:
              lacuna bench data Recipes/simmim-vit_micro-digits.yaml
              lacuna bench data Recipes/simmim-vit_micro-procedural.yaml --images 200 \\
                --json
            """)

    @OptionGroup var file: RecipeFile

    @Option(help: "Images; a smaller set is gone through several times.")
    var images = 1000

    @Flag(help: "Print one JSON object instead of text.")
    var json = false

    func validate() throws { try requirePositive(images, "--images") }

    func run() throws {
        let recipe = try file.load()
        let source = try recipe.source(recipe.data.train)
        let classes = source.classes?.count ?? 0
        let experiment = try Experiment(recipe, samples: 2, classes: classes)
        let settings = recipe.trainingSettings(experiment.objective, experiment.batch, of: source)
        let meter = ProgressMeter("bench", "images")
        let rate = try source.loadingRate(settings, images: images) { if !json { meter.show($0, of: images) } }
        meter.finish()
        writeOutput(json ? rate.json.line + "\n" : rate.text)
    }
}

extension LoadingRate {
    fileprivate var text: String {
        var table = Table()
        table.add("images/s a core", fixed(imagesPerSecond, digits: 1))
        table.add("read and decode", "\(fixed(1e3 * readSeconds / Double(images), digits: 3)) ms an image")
        table.add("augment and mask", "\(fixed(1e3 * transformSeconds / Double(images), digits: 3)) ms an image")
        return table.text
    }

    fileprivate var json: JSON {
        .object([
            "images_per_second": .number(imagesPerSecond), "images": .integer(images),
            "read_seconds": .number(readSeconds), "transform_seconds": .number(transformSeconds),
        ])
    }
}
