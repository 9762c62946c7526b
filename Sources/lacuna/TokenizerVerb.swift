import ArgumentParser
import Batches
import Checkpoints
import Cluster
import Evaluation
import Kernels
import Messages
import Objectives
import Platform
import Recipes
import Training

struct TokenizerVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tokenizer",
        abstract: "Train a tokenizer, which writes images as grids of ids.",
        discussion: """
            Examples:
              lacuna tokenizer Recipes/tokenizer-vq_vit_micro-digits.yaml
              mpirun -np 2 lacuna tokenizer \\
                Recipes/tokenizer-vq_vit_tiny-fashion_mnist.yaml --run runs/tokenizer
              lacuna tokenizer Recipes/tokenizer-vq_vit_tiny-fashion_mnist.yaml \\
                --run runs/tokenizer --resume

            Every log line tells the error of the pixels (psnr, decibels), how many codes are in use and their \
            perplexity. The run ends with both on data.evaluation, and an image of originals beside what came back \
            from their ids. 'lacuna tokenize' makes token sets with it.

            A signal stops it and --resume goes on, as in pretrain: bit for bit, codebook included.
            """)

    @OptionGroup var file: RecipeFile
    @OptionGroup var arguments: RunArguments

    func run() throws {
        try arguments.train(file, .tokenizer) { ended in
            guard ended.hasNewWeights else { return }
            let train = ended.training.sets.train
            try ended.communicator.onRankZero {
                try score(ended.recipe, ended.folder, train: (train.name, train.count), ended.session)
            }
        }
    }

    /// An image and a card of what was learned.
    private func score(_ recipe: Recipe, _ run: String, train: (name: String, count: Int), _ session: Session) throws {
        let saved = try CheckpointPlace(run).newestValid()
        let tokenizer = try TrainedTokenizer(recipe, weights: .saved(saved), drawsPixels: true, pool: session.pool)
        let source = try recipe.evaluationSource()
        let image = run + "/images/step-\(saved.step).png"
        try Folder(run + "/images").create()
        try OutputFile.write(tokenizer.images(of: source, count: 16).sheet.png(), to: image)
        let meter = ProgressMeter("measure", "images")
        let scores = try tokenizer.scores(on: source, images: 10_000) { meter.show($0, of: $1) }
        meter.finish()
        let codes = tokenizer.codes.count / tokenizer.width
        session.console.say(
            "\(source.name): PSNR \(fixed(scores.psnr, digits: 2)) dB, mean error \(fixed(scores.absoluteError, digits: 4)), "
                + "\(scores.use.used) of \(codes) codes used, perplexity \(fixed(scores.use.perplexity, digits: 1)) "
                + "(\(scores.images) images)")
        session.console.say("\(image): originals beside what came back from their ids")
        try EvaluationCard(
            protocol: "tokenizer", checkpoint: saved.path, step: saved.step,
            data: .init(
                train: train.name, evaluation: source.name, trainSamples: train.count, evaluationSamples: scores.images),
            settings: ["recipe": .object(.init(recipe.keys.mapValues(JSON.string))), "codes": .integer(codes)],
            seeds: [Int(clamping: recipe.seed)],
            scores: [
                "psnr": .init([scores.psnr]), "absolute_error": .init([scores.absoluteError]),
                "used_codes": .init([Double(scores.use.used)]), "perplexity": .init([scores.use.perplexity]),
            ]
        ).write(to: EvaluationCard.folder(of: run))
    }
}
