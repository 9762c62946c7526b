import ArgumentParser
import Checkpoints
import Cluster
import Evaluation
import Kernels
import Messages
import Training

struct NearestNeighbour: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "knn", abstract: "Score an encoder: the vote of the nearest training samples.",
        discussion: """
            Cosine similarity of features; the k nearest samples of data.train vote with exp(similarity / temperature) \
            on those of data.evaluation. All k are scored in one pass and all are reported: none is chosen. Features \
            are computed once and kept in the run folder; under mpirun the ranks share that work.

            Examples:
              lacuna knn runs/simmim-vit_micro-digits
              lacuna knn runs/simmim-vit_micro-digits --k 5,20 --untrained
            """)

    @OptionGroup var file: EncoderFile
    @OptionGroup var choice: FeatureChoice
    @OptionGroup var fewShot: FewShot

    @Option(name: .customLong("k"), help: "Neighbours that vote.")
    var counts = Seeds([10, 20, 100, 200])

    @Option(help: "Temperature of the vote.")
    var temperature = 0.07

    @Option(help: "Norm of the features before the cosine: none, layer, batch or whitening.")
    var norm = FeatureNorm.none

    @Option(help: "With --shots or --label-fraction: one score for each.")
    var seeds = Seeds([0, 1, 2])

    func validate() throws {
        try requirePositive(choice.layers, "--layers")
        if counts.list.contains(0) { throw ValidationError("--k 0: at least 1") }
        if !(temperature > 0) { throw ValidationError("--temperature \(temperature): more than 0") }
    }

    func run() throws {
        let communicator = try Session.join()
        try amongRanks(of: communicator) { try score(communicator) }
        try communicator.finish()
    }

    private func score(_ communicator: any Communicator) throws {
        let encoder = try OpenedEncoder(file, over: communicator) { _ in choice.spec(layer: file.layer) }
        guard let sets = try encoder.labelledFeatures() else { return }
        let neighbours = NearestNeighbours(
            counts: counts.list.map { Int(clamping: $0) }, temperature: temperature, pool: encoder.session.pool)
        let console = encoder.session.console
        console.say(
            "knn of \(encoder.weights): \(sets.train.description), \(sets.train.width) numbers, "
                + "norm \(norm.rawValue)")
        // Nothing is drawn where all samples vote.
        let seeds = fewShot.amount == nil ? [0] : seeds.list
        var found: [[NearestNeighbours.Score]] = []
        var samples = 0
        for seed in seeds {
            let rows = try sets.train.rows(of: encoder.train, fewShot.amount, seed: seed)
            let meter = ProgressMeter("knn", "images")
            found.append(
                try neighbours.score(train: sets.train, rows: rows, test: sets.test, norm: norm) { done, total in
                    meter.show(done, of: total)
                    try encoder.session.stopIfAsked()
                })
            meter.finish()
            samples = rows.count
        }
        let scores = told(found, console)
        try encoder.write(
            "knn",
            [
                "k": .array(found[0].map { .integer($0.k) }), "temperature": .number(temperature),
                "norm": .string(norm == .none ? "unit length" : "\(norm.rawValue), then unit length"),
                "labels": .string(fewShot.text), "chosen": .string("no k is chosen; all are reported"),
            ],
            seeds: seeds, scores, sets: sets, samples: samples,
            variant: fewShot.variant + (choice.pool == .mean ? [] : [choice.pool.rawValue])
                + (choice.layers == 1 ? [] : ["\(choice.layers)-layers"])
                + (norm == .none ? [] : ["norm-\(norm.rawValue)"]))
    }

    /// The scores of each k over the seeds.
    private func told(_ found: [[NearestNeighbours.Score]], _ console: Console) -> [String: EvaluationCard.Score] {
        var scores: [String: EvaluationCard.Score] = [:]
        for (index, first) in found[0].enumerated() {
            let top1 = EvaluationCard.Score(found.map { $0[index].top1 })
            let top5 = EvaluationCard.Score(found.map { $0[index].top5 })
            scores["top1 k=\(first.k)"] = top1
            scores["top5 k=\(first.k)"] = top5
            console.say("k \(first.k): top1 \(scoreText(top1)) %, top5 \(scoreText(top5)) %")
        }
        return scores
    }
}
