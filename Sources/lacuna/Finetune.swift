import ArgumentParser
import Batches
import Checkpoints
import Cluster
import Evaluation
import Messages
import Platform
import Recipes
import Training

struct Finetune: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Train a classifier, from a pretrained encoder or from the start.",
        discussion: """
            Examples:
              lacuna finetune Recipes/finetune-vit_micro-digits.yaml \\
                --from runs/simmim-vit_micro-digits
              lacuna finetune Recipes/finetune-vit_micro-digits.yaml \\
                --run runs/from-scratch
              lacuna finetune Recipes/finetune-vit_micro-digits.yaml --run runs/first \\
                --resume

            --from takes a run folder (its newest valid checkpoint), the folder of one step, or a safetensors file \
            with the reference's names. What was taken, what starts anew and what was left is listed first. The run \
            ends with the test scores of the last weights, of the EMA weights and of the best step.

            A signal stops it and --resume goes on, as in pretrain: bit for bit, best step and averages included.
            """)

    @OptionGroup var file: RecipeFile

    @Option(help: "Where the encoder's weights come from; without it they start anew.")
    var from: String?

    @Flag(help: "Take the EMA weights of --from.")
    var ema = false

    @Flag(help: "Start the head anew although --from has one.")
    var newHead = false

    @Flag(help: "Begin although the encoder does not match as a whole.")
    var allowPartial = false

    @OptionGroup var arguments: RunArguments

    func validate() throws {
        for (flag, isGiven) in [("--ema", ema), ("--new-head", newHead), ("--allow-partial", allowPartial)] {
            if isGiven && from == nil { throw ValidationError("\(flag) tells how to take weights: give --from too") }
        }
    }

    func run() throws {
        try arguments.train(file, .finetune, prepare: prepare) { ended in
            for result in ended.training.results {
                let step = "step \(result.step)\(result.kind == .best && result.isAveraged ? ", EMA" : "")"
                let weights = result.kind == .ema ? "EMA" : result.kind.rawValue
                ended.session.console.say("test of the \(weights) weights (\(step)): \(result.scores.text)")
            }
            try ended.communicator.onRankZero { try writeCard(ended.training, ended.recipe, run: ended.folder) }
        }
    }

    private func prepare(_ options: inout TrainingRun.Options, _ communicator: any Communicator) throws {
        options.start = from.map { path in
            var start = StartingWeights(path)
            start.isAveraged = ema
            start.hasNewHead = newHead
            start.allowsPartial = allowPartial
            return start
        }
        let card = EvaluationCard.folder(of: options.folder) + "/finetune.json"
        options.testsAtEnd = try communicator.broadcast(FileStatus(card) == nil ? "test" : "") == "test"
    }

    /// The test as an evaluation card. Its headline is the best step where a set of its own chose that step, else the last.
    private func writeCard(_ training: TrainingRun, _ recipe: Recipe, run: String) throws {
        guard let test = training.sets.test, let last = training.results.first(where: { $0.kind == .last }) else {
            return
        }
        let best = training.results.first { $0.kind == .best }
        let headline = training.sets.validation == nil ? last : best ?? last
        var scores: [String: EvaluationCard.Score] = [
            "top1": .init([headline.scores.top1]), "top5": .init([headline.scores.top5]),
            "loss": .init([headline.scores.loss]),
        ]
        for result in training.results { scores["\(result.kind.rawValue)_top1"] = .init([result.scores.top1]) }
        var settings: [String: JSON] = [
            "weights": .string(headline.kind.rawValue), "from": training.startFile.map(JSON.string) ?? .null,
            "recipe": .object(.init(recipe.keys.mapValues(JSON.string))),
        ]
        if let best {
            settings["best_step"] = .integer(best.step)
            settings["best_is_averaged"] = .bool(best.isAveraged)
            settings["chosen_on"] = .string((training.sets.validation ?? test).name)
        }
        let train = training.sets.train
        try EvaluationCard(
            protocol: "finetune", checkpoint: run, step: headline.step,
            data: .init(
                train: train.name, evaluation: test.name, trainSamples: train.count, evaluationSamples: test.count),
            settings: settings, seeds: [Int(clamping: recipe.seed)], scores: scores
        ).write(to: EvaluationCard.folder(of: run), as: "finetune")
    }
}
