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

struct Tokenize: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write a set of images as a token set.",
        discussion: """
            Images are cut as in evaluation, nothing is drawn. Ids are numbered by falling frequency, and codes that \
            no image uses are left out; --codebook keeps the numbers of another set, so that both mean the same. The \
            file holds ids as packed bits, labels, class names, codebook and a checksum for each record; 'lacuna \
            tokens' shows, checks and converts it.

            Examples:
              lacuna tokenize runs/tokenizer-vq_vit_micro-digits \\
                --output tokens/digits-train.safetensors
              lacuna tokenize runs/tokenizer-vq_vit_micro-digits --evaluation \\
                --codebook tokens/digits-train.safetensors \\
                --output tokens/digits-test.safetensors
              mpirun -np 2 lacuna tokenize runs/tokenizer \\
                --output tokens/train.safetensors

            Ranks share the work. Stopped by a signal (code 75), it goes on from the parts that are whole when it is \
            started again.
            """)

    @OptionGroup var checkpoint: CheckpointOptions

    @Option(help: "The token set, a safetensors file.")
    var output: String

    @Flag(help: "Take data.evaluation of the recipe in place of data.train.")
    var evaluation = false

    @Option(help: "A token set of the same tokenizer whose codebook and numbers are kept.")
    var codebook: String?

    @Flag(help: "Go on from the parts of an owner on another host that has been silent for 10 minutes.")
    var takeover = false

    @Option(help: "Images computed at once by a rank.")
    var batch = 64

    func validate() throws {
        try requirePositive(batch, "--batch")
        if batch > Tokenization.partSamples {
            throw ValidationError("--batch \(batch): at most \(Tokenization.partSamples), the images of a part")
        }
        if !output.hasSuffix(".safetensors") {
            throw ValidationError("--output \(output): a name that ends in .safetensors")
        }
    }

    func run() throws {
        let communicator = try Session.join()
        try amongRanks(of: communicator) { try tokenize(communicator) }
        try communicator.finish()
    }

    private func tokenize(_ communicator: any Communicator) throws {
        let opened = try OpenedCheckpoint(checkpoint, over: communicator)
        let (session, recipe) = (opened.session, opened.recipe)
        let (source, reference) = try communicator.together {
            guard let section = evaluation ? recipe.data.evaluation : recipe.data.train else {
                throw EvaluationError.noTestSet
            }
            try requireFolder(of: output)
            return (try recipe.source(section), try codebook.map { try TokenSet($0) })
        }
        let tokenizer = try communicator.together {
            try TrainedTokenizer(recipe, weights: opened.weights, batch: batch, pool: session.pool)
        }
        let whose = communicator.size > 1 ? " of rank 0, one of \(communicator.size)" : ""
        let meter = ProgressMeter("tokenize", "images" + whose)
        let isWhole = try Tokenization(tokenizer, source, to: output, codebookOf: reference, over: communicator).run(
            takeover: takeover, progress: { done, total in if communicator.rank == 0 { meter.show(done, of: total) } },
            shouldStop: { session.stop.isSet }, say: { session.console.say($0) })
        meter.finish()
        try communicator.together {
            if !isWhole { throw StoppedBySignal(hint: "start again to go on: \(output).parts") }
        }
        try communicator.onRankZero { session.console.say(try TokenSet(output).summary) }
    }
}

extension TokenSet {
    /// Contents and size, for people.
    var summary: String {
        let fileBytes = FileStatus(path, followingLinks: true)?.bytes ?? 0
        var table = Table()
        table.add("token set", path)
        table.add(
            "records",
            "\(grouped(count)) of \(grid.side) x \(grid.side) ids"
                + (classes.map { ", \($0.count) classes" } ?? ", no labels"))
        table.add(
            "codebook",
            "\(grid.codebook.count) codes of \(grid.codebook.width) numbers (\(grid.codebook.metric.rawValue)), "
                + grid.codebook.name)
        table.add("ids of an image", "\(packing.bytes) bytes, \(packing.bits) bits an id")
        let perImage = Double(fileBytes) / Double(count)
        table.add(
            "file", "\(sizeText(fileBytes)), \(fixed(perImage, digits: 1)) bytes an image with label and checksum")
        if let source = notes["source_bytes"].flatMap(Int.init), source > 0 {
            table.add(
                "of the source",
                "\(fixed(100 * Double(count * packing.bytes) / Double(source), digits: 2)) % for the ids, "
                    + "\(fixed(100 * Double(fileBytes) / Double(source), digits: 2)) % for the file, of "
                    + "\(fixed(Double(source) / Double(count), digits: 0)) bytes an image")
        }
        return String(table.text.dropLast())
    }
}
