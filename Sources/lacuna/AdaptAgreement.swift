import Batches
import Checkpoints
import Evaluation
import Messages
import Objectives
import Platform
import Recipes
import Training

/// Agreement of a trained TokenAdapt, told at the end of its run and kept as an evaluation card.
enum AdaptAgreement {
    /// Images that it is asked about.
    private static let images = 1000

    /// Says nothing for other methods.
    static func tell(of run: String, _ recipe: Recipe, _ session: Session) throws {
        guard recipe.objective.kind == TokenAdaptation.kind, let section = recipe.data.evaluation else { return }
        let (source, learned) = (try recipe.source(section), try recipe.source(recipe.data.train))
        let checkpoint = try CheckpointPlace(run).newestValid()
        let meter = ProgressMeter("agreement", "images")
        let found = try TokenAdaptAgreement(recipe, checkpoint, on: source, images: images, pool: session.pool) {
            meter.show($0, of: $1)
        }
        meter.finish()
        session.console.say(
            "agreement with the ids of \(found.images) moved images of \(source.name), % of places; beside it that of the "
                + "same movement of the code vectors, and the mean cosine between the codes found and the right ones")
        var table = Table(numbers: [1, 2, 3])
        table.add("", "TokenAdapt", "direct", "cosine")
        var scores: [String: EvaluationCard.Score] = [:]
        for row in found.rows {
            let (adapted, direct) = (100 * row.adapted, 100 * row.direct)
            table.add(row.name, fixed(adapted, digits: 1), fixed(direct, digits: 1), fixed(row.cosine, digits: 3))
            scores["\(row.name)"] = .init([adapted])
            scores["\(row.name) direct"] = .init([direct])
            scores["\(row.name) cosine"] = .init([row.cosine])
        }
        writeOutput(table.text)
        try EvaluationCard(
            protocol: "token_adapt", checkpoint: run, step: checkpoint.step,
            data: .init(
                train: learned.name, evaluation: source.name, trainSamples: learned.count,
                evaluationSamples: found.images),
            settings: ["recipe": .object(.init(recipe.keys.mapValues(JSON.string)))],
            seeds: [Int(clamping: recipe.seed)],
            scores: scores
        ).write(to: EvaluationCard.folder(of: run), as: "token_adapt")
    }
}
