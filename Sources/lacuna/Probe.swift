import ArgumentParser
import Checkpoints
import Cluster
import Evaluation
import Kernels
import Messages
import Optimizers
import Platform
import Training

struct Probe: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Score an encoder: a linear classifier on its frozen features.",
        discussion: """
            Features of data.train and data.evaluation are computed once, in evaluation mode, and kept in the run \
            folder. Classifiers of many learning rates then learn side by side on nine tenths of the training samples; \
            the one that is best on the last tenth learns again on all of them and is scored on data.evaluation, which \
            decides nothing. Under mpirun the ranks share the features; the classifiers are rank 0's.

            Protocols: mae (batch norm without parameters, LARS, 90 epochs) and dinov2 (SGD; class token and mean of \
            the last block or of the last four), whose lengths shrink with the set, and logistic (softmax regression \
            to its minimum). Both papers crop and mirror at random where this takes the middle of each image.

            Examples:
              lacuna probe runs/simmim-vit_micro-digits
              lacuna probe runs/simmim-vit_micro-digits --untrained --protocol dinov2
              lacuna probe runs/simmim-vit_micro-digits --shots 10 --seeds 0,1,2
            """)

    @OptionGroup var file: EncoderFile
    @OptionGroup var fewShot: FewShot

    @Option(name: .customLong("protocol"), help: "mae, dinov2 or logistic.")
    var kind = ProbeProtocol.mae

    @Option(help: "Norm of the features: none, layer, batch or whitening (default: the protocol's).")
    var norm: FeatureNorm?

    @Option(help: "One score for each: they decide start weights, order, validation part and few-shot samples.")
    var seeds = Seeds([0, 1, 2])

    private var name: String { "linear-\(kind.rawValue)" }

    func run() throws {
        let communicator = try Session.join()
        try amongRanks(of: communicator) { try score(communicator) }
        try communicator.finish()
    }

    private func score(_ communicator: any Communicator) throws {
        let encoder = try OpenedEncoder(file, over: communicator) { kind.spec(layer: file.layer, of: $0) }
        guard let sets = try encoder.labelledFeatures() else { return }
        let probe = LinearProbe(kind, norm: norm, train: sets.train, test: sets.test, pool: encoder.session.pool)
        let console = encoder.session.console
        console.say(
            "\(name) of \(encoder.weights): \(sets.train.description), \(sets.train.width) numbers, "
                + "norm \(probe.norm.rawValue)")
        var outcomes: [LinearProbe.Outcome] = []
        for seed in seeds.list {
            let meter = ProgressMeter("seed \(seed)", kind == .logistic ? "passes" : "updates")
            let outcome = try probe.run(seed: seed, on: encoder.train, amount: fewShot.amount) { done, total in
                meter.show(done, of: total)
                try encoder.session.stopIfAsked()
            }
            meter.finish()
            outcomes.append(outcome)
            console.say(
                "seed \(seed): top1 \(fixed(outcome.top1, digits: 2)) %, top5 \(fixed(outcome.top5, digits: 2)) %, "
                    + "\(outcome.samples) samples, \(kind.gridName) \(outcome.setting), \(outcome.feature), "
                    + "validation \(fixed(outcome.validation, digits: 2)) %")
        }
        let scores = [
            "top1": EvaluationCard.Score(outcomes.map(\.top1)), "top5": EvaluationCard.Score(outcomes.map(\.top5)),
        ]
        for (name, score) in scores.sorted(by: { $0.key < $1.key }) {
            console.say("\(name) \(scoreText(score)) % over \(seeds.list.count) seeds")
        }
        var settings = probe.settings(outcomes)
        settings["labels"] = .string(fewShot.text)
        try encoder.write(
            name, settings, seeds: seeds.list, scores, sets: sets, samples: outcomes.first?.samples ?? 0,
            variant: fewShot.variant + (norm.map { ["norm-\($0.rawValue)"] } ?? []))
    }
}
