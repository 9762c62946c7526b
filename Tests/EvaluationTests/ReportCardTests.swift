import Checkpoints
import Evaluation
import Foundation
import Testing

@Suite struct ReportCardTests {
    private func card(_ name: String = "knn", step: Int? = 40, _ values: [Double] = [80, 82, 84]) -> EvaluationCard {
        EvaluationCard(
            protocol: name, checkpoint: "run/checkpoints/step-00000040", step: step,
            data: .init(train: "digits train", evaluation: "digits test", trainSamples: 1400, evaluationSamples: 397),
            settings: [
                "k": .integer(20), "temperature": .number(0.07), "rates": .array([.number(0.1), .number(0.5)]),
            ],
            seeds: [0, 1, 2], scores: ["top1": .init(values)], date: "2025-01-31T12:00:00Z")
    }

    @Test func `mean and sample standard deviation come from the values`() {
        let score = EvaluationCard.Score([80, 82, 84])
        #expect(score.mean == 82 && score.sd == 2)
        #expect(EvaluationCard.Score([7]).sd == nil)
    }

    @Test func `a card is read back as it was written, and a later one takes its place`() throws {
        let scratch = try Scratch()
        let folder = EvaluationCard.folder(of: scratch.path + "/run")
        let path = try card("knn", [1]).write(to: folder)
        #expect(path == folder + "/knn-step-40.json")
        try card().write(to: folder)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["knn-step-40.json"])
        #expect(try EvaluationCard.read(path) == card())
        let text = try String(contentsOfFile: path, encoding: .utf8)
        #expect(text.contains(#""protocol" : "knn""#) && text.contains(#""evaluation_samples" : 397"#))
    }

    @Test func `a score that is not finite is refused and leaves no file`() throws {
        let scratch = try Scratch()
        #expect(throws: CheckpointError.self) { try card("knn", [.nan]).write(to: scratch.path + "/evaluation") }
        #expect(!FileManager.default.fileExists(atPath: scratch.path + "/evaluation/knn-step-40.json"))
    }

    @Test(arguments: ["", "{}", "[]", #"{"protocol": 3}"#]) func `what is no card is refused`(text: String) throws {
        let scratch = try Scratch()
        try scratch.write("card.json", Array(text.utf8))
        let error = try #require(throws: CheckpointError.self) { try EvaluationCard.read(scratch.path + "/card.json") }
        #expect(error.reason == .corrupt && error.expected == "an evaluation card")
    }

    @Test func `a report shows scores, settings and the curve over steps`() throws {
        let folder = try ReportFolder()
        let cards = EvaluationCard.folder(of: folder.path)
        try card().write(to: cards)
        try card(step: 80, [84, 86, 88]).write(to: cards)
        try card("linear-mae", step: nil, [91.25]).write(to: cards)
        let page = try folder.page()
        #expect(page.sections == ["summary", "evaluation", "recipe"])
        #expect(page.rows.contains("run|knn|40|82.00 ± 2.0|3|digits test"))
        #expect(page.rows.contains("run|linear-mae|–|91.25|3|digits test"))
        #expect(page.rows.contains("temperature|0.07") && page.rows.contains("rates|0.1, 0.5"))
        #expect(page.rows.contains("top1|82.00 ± 2.0 (80.00, 82.00, 84.00)"))
        #expect(page.lines("knn: top1").count == 1 && page.lines("linear-mae: top1").isEmpty)
        #expect(page.texts("summary").contains("Evaluation card: knn, step 80"))
    }
}
