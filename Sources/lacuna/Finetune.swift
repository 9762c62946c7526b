import ArgumentParser
import Cluster
import Platform
import Recipes
import Training

struct Finetune: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Train a classifier, from a pretrained encoder or from the start.",
        discussion: """
            Examples:
              lacuna finetune Recipes/finetune-vit_micro-digits.yaml --from runs/simmim-vit_micro-digits
              lacuna finetune Recipes/finetune-vit_micro-digits.yaml --run runs/from-scratch
              lacuna finetune Recipes/finetune-vit_micro-digits.yaml --run runs/first --resume

            --from takes a run folder (its newest sound checkpoint), the folder of one step, or a safetensors file with
            the reference's names. What was taken, what starts anew and what was left is listed first. The run ends
            with the test scores of the last weights, of the averaged ones and of the best step.

            A signal stops it and --resume goes on, as in pretrain: bit for bit, best step and averages included.
            """)

    @OptionGroup var file: RecipeFile

    @Option(help: "Where the encoder's weights come from; without it they start anew.")
    var from: String?

    @Flag(help: "Take the averaged weights of --from.")
    var average = false

    @Flag(help: "Start the head anew although --from has one.")
    var newHead = false

    @Flag(help: "Begin although the encoder does not match as a whole.")
    var allowPartial = false

    @OptionGroup var arguments: RunArguments

    func validate() throws {
        for (flag, isGiven) in [("--average", average), ("--new-head", newHead), ("--allow-partial", allowPartial)] {
            if isGiven && from == nil { throw ValidationError("\(flag) tells how to take weights: give --from too") }
        }
    }

    func run() throws {
        let communicator = try Session.join()
        let (outcome, console) = try amongRanks(of: communicator) { try train(communicator) }
        try communicator.finish()
        try arguments.tell(outcome, folder: arguments.folder(of: file), console)
    }

    private func train(_ communicator: any Communicator) throws -> (TrainingRun.Outcome, Console) {
        let recipe = try file.load(.finetune, on: communicator)
        let session = try Session(threads: arguments.threads ?? recipe.threads, on: communicator)
        var options = try arguments.options(for: file)
        options.start = from.map { path in
            var start = StartingWeights(path)
            start.isAveraged = average
            start.hasNewHead = newHead
            start.allowsPartial = allowPartial
            return start
        }
        options.testsAtEnd = true
        let training = try TrainingRun(
            recipe, options, communicator: communicator, pool: session.pool, stop: session.stop,
            speaker: session.console)
        let outcome = try training.run()
        session.console.finish()
        for result in training.results {
            let weights = "\(result.weights.rawValue) weights"
            let step = "step \(result.step)\(result.weights == .best && result.isAveraged ? ", averaged" : "")"
            session.console.say("test of the \(weights) (\(step)): \(result.scores.text)")
        }
        return (outcome, session.console)
    }
}
