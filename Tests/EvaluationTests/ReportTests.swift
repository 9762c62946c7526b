import Checkpoints
import Evaluation
import Foundation
import Testing
import Training

@Suite struct ReportTests {
    @Test func `a finished run has all its parts on one page that needs nothing else`() throws {
        let scratch = try Scratch()
        let run = scratch.path + "/run"
        try train(smallRecipe(), in: run)
        let png = ImageGrid(samples: 1, titles: ["a"], inputSide: 16).sheet.png()
        try scratch.write("run/images/step-20.png", png)
        var read: [Int] = []
        let page = try Page([run]) { done, total in
            read.append(done)
            #expect(done <= total)
        }
        #expect(page.sections == ["summary", "curves", "images", "time", "checkpoints", "environment", "recipe"])
        #expect(page.rows.contains("state|finished"))
        #expect(page.rows.contains { $0.hasPrefix("model|vit, width 32, depth 2, heads 2, patch 4, 16 px, ") })
        #expect(page.rows.contains { $0.contains("|valid|") } && !read.isEmpty)
        #expect(page.text.contains("data:image/png;base64,\(Data(png).base64EncodedString())"))
        #expect(page.elements("script").isEmpty && page.elements("link").isEmpty)
        let remote = page.text.replacingOccurrences(of: "http://www.w3.org/", with: "")
        #expect(!remote.contains("http://") && !remote.contains("https://") && !remote.contains("url("))
    }

    @Test func `what files say is never markup`() throws {
        let evil = "<script>alert('&\u{1}\"')</script>"
        let quoted = String(decoding: try JSONEncoder().encode(evil), as: UTF8.self)
        let folder = try ReportFolder("<b>&'run", recipe: "about: \(quoted)\nobjective: {kind: \(quoted)}\n")
        try folder.writeMetrics(1...3, last: #"{"step": 3, "event": \#(quoted), \#(quoted): 2}"# + "\n")
        try folder.write(
            "environment.json", #"{"command": [\#(quoted)], \#(quoted): \#(quoted), "hosts": [\#(quoted)]}"#)
        try folder.write("captures/step-2.json", #"{"step": 2, "operation": \#(quoted), "samples": [1]}"#)
        try folder.write("images/<i>'.png", [1, 2, 3])
        try folder.write("evaluation/<i>.json", "{")
        try EvaluationCard(
            protocol: evil, checkpoint: evil, step: 3,
            data: .init(train: evil, evaluation: evil, trainSamples: 1, evaluationSamples: 1),
            settings: [evil: .string(evil)], seeds: [0], scores: [evil: .init([1])]
        ).write(to: EvaluationCard.folder(of: folder.path), as: "card")
        let page = try folder.page()
        #expect(page.elements("script").isEmpty && page.elements("i").count == 3, "the legend's own")
        #expect(page.texts("h1") == ["<b>&'run"])
        #expect(page.rows.contains { $0.contains("<script>alert('&\u{FFFD}\"')</script>") })
    }

    @Test func `a spike among 50,000 lines is drawn, and the page stays small`() throws {
        let folder = try ReportFolder()
        try folder.writeMetrics(1...50_000) { $0 == 31_234 ? "9.5" : $0 % 2 == 0 ? "0.5" : "0.4" }
        let page = try folder.page()
        #expect(page.text.utf8.count < 1 << 20)
        // The greatest value stands a twentieth of the range below the top of 10 px.
        let raw = try #require(page.lines("Loss").first)
        let heights = raw.split { "ML".contains($0) }.compactMap {
            $0.split(separator: " ").last.flatMap { Double($0) }
        }
        #expect(abs((heights.min() ?? 0) - 19.5) < 2, "\(heights.min() ?? 0)")
        #expect(heights.count > 1000 && heights.count < 4000)
        #expect(page.texts("title").contains { $0.contains("9.500") })
    }

    @Test func `half a last line waits, a foreign one is counted, and one written again counts once`() throws {
        let folder = try ReportFolder()
        let again = #"{"step": 4, "loss": 7, "seconds": 3}"#
        try folder.writeMetrics(1...5, last: "no JSON\n[1]\n{\"loss\": 1}\n\(again)\n{\"step\": 6, \"lo")
        let page = try folder.page()
        #expect(
            page.texts("li").contains { $0.hasSuffix("metrics.jsonl: 3 lines are no records and were skipped") })
        #expect(page.rows.contains("progress|step 4") && page.rows.contains("loss|7.000"))
    }

    @Test func `a number that is not finite breaks the line and is marked`() throws {
        let folder = try ReportFolder()
        try folder.writeMetrics(1...9) { $0 == 4 ? "null" : "\($0)" }
        let page = try folder.page()
        #expect(try #require(page.lines("Loss").first).filter { $0 == "M" }.count == 2)
        #expect(page.texts("title").contains("step 4: not finite"))
    }

    @Test func `numbers at the ends of the range have a page`() throws {
        let folder = try ReportFolder(recipe: "schedule: {epochs: 9223372036854775807}\nbatch: {global: 1}\n")
        let numbers = ["-1.7e308", "1.7e308", "5e-324", "0", "-1", "1e300", "1e-300", "9e18", "-9e18"]
        let lines = numbers.flatMap { number in
            [
                #"{"step": \#(number), "loss": 1, "seconds": \#(number), "data_wait_share": 2, "exchange_wait_share": 0}"#,
                #"{"step": 5, "loss": \#(number), "lr": \#(number), "\#(number)": \#(number), "seconds": 1e300}"#,
                #"{"step": 6, "event": "a", "b": \#(number)}"#, #"{"step": 6, "loss": 5e-324, "seconds": 2}"#,
            ]
        }
        for count in 1...lines.count {
            try folder.write("metrics.jsonl", lines.prefix(count).joined(separator: "\n") + "\n")
            #expect(try folder.page().sections.contains("summary"))
        }
    }

    @Test(arguments: ["", "{\"st"]) func `a run that has only begun has a page`(metrics: String) throws {
        let folder = try ReportFolder()
        try folder.write("metrics.jsonl", metrics)
        let page = try folder.page()
        #expect(page.sections == ["summary", "recipe"])
        #expect(page.rows.contains("state|stopped") && page.rows.contains("progress|no step yet"))
    }

    @Test func `damaged parts are named and the others shown`() throws {
        let folder = try ReportFolder(recipe: "a: [")
        try folder.writeMetrics(1...3)
        try folder.write("environment.json", "{")
        try folder.write("evaluation/broken.json", #"{"protocol": "knn"}"#)
        try folder.write("checkpoints/step-00000003/manifest.json", "")
        let page = try folder.page()
        #expect(page.sections == ["summary", "curves", "time", "checkpoints", "recipe"])
        let remarks = page.texts("li").joined(separator: "\n")
        for part in [
            "resolved.yaml", "environment.json: no JSON", "broken.json: no 'checkpoint'; expected an evaluation",
        ] {
            #expect(remarks.contains(part), "\(remarks)")
        }
        #expect(page.rows.contains { $0.hasPrefix("step-00000003|–|–|damaged|") })
    }

    @Test func `a run in progress tells when it will end`() throws {
        let folder = try ReportFolder()
        try folder.writeMetrics(stride(from: 5, through: 20, by: 5))
        try folder.write(
            "environment.json", #"{"updates": 100, "command": ["lacuna", "pretrain", "Recipes/my.first.yaml"]}"#)
        #expect(try folder.page().rows.contains("state|stopped"))
        let lock = try RunLock(folder.path)
        let page = try folder.page()
        #expect(page.rows.contains("state|in progress"))
        #expect(page.rows.contains { $0.hasSuffix("step 20 of 100, about 2:40 left") })
        #expect(page.texts("h1") == ["my.first"])
        try lock.release()
    }

    @Test func `time is split as the log says`() throws {
        let folder = try ReportFolder()
        try folder.writeMetrics(1...50)
        let page = try folder.page()
        #expect(page.rows.contains("run|1:10 (70.0 %)|10 s (10.0 %)|20 s (20.0 %)|1:40|" + timeTitles(70, 10, 20)))
    }

    private func timeTitles(_ shares: Int...) -> String {
        zip(["compute and the rest", "waiting for data", "waiting for exchange"], shares).map { "\($0): \($1).0 %" }
            .joined()
    }

    @Test func `the steps after which a run went on are marked`() throws {
        let folder = try ReportFolder()
        try folder.writeMetrics(1...300)
        for (name, step) in [
            ("events.out.tfevents.1700000000.lacuna", nil), ("events.out.tfevents.1700000500.lacuna", 201),
        ] {
            let file = try TensorBoardFile(folder.path + "/" + name, wallSeconds: 1_700_000_000, resumedAt: step)
            try file.append([("train/loss", 1)], step: 201, wallSeconds: 1_700_000_001)
        }
        try folder.write("events.out.tfevents.1700000600.other", [UInt8](repeating: 255, count: 300))
        let page = try folder.page()
        #expect(page.texts("title").contains("resumed after step 200"))
        #expect(page.rows.contains("progress|step 300, resumed after 200"))
        #expect(
            page.rows.contains {
                $0.hasPrefix("time|10:00 of training") && $0.hasSuffix("started 2023-11-14T22:13:20Z")
            })
    }

    @Test func `evaluations during training have their curves and extremes`() throws {
        let folder = try ReportFolder()
        let events = [10: 40.0, 20: 55.5, 30: 50].sorted { $0.key < $1.key }.map {
            #"{"step": \#($0.key), "event": "evaluation", "top1": \#($0.value), "seconds": 1}"# + "\n"
        }
        try folder.writeMetrics(1...30, last: events.joined() + #"{"step": 30, "event": "capture_failed"}"# + "\n")
        let page = try folder.page()
        #expect(page.rows.contains("top1|run|50.00|30|40.00|10|55.50|20"))
        #expect(page.lines("top1").count == 1)
        #expect(page.texts("li").contains("step 30: capture_failed"))
    }

    @Test func `runs lie over each other, and their recipes are compared`() throws {
        let one = try ReportFolder(recipe: "seed: 1\nbatch: {global: 8}\n")
        let other = try ReportFolder(recipe: "seed: 2\nbatch: {global: 8}\n")
        try one.writeMetrics(1...30)
        try other.writeMetrics(1...20)
        let page = try Page([one.path + "/", other.path])
        #expect(page.lines("Loss").count == 2)
        #expect(page.rows.contains("seed|1|2") && !page.rows.contains { $0.hasPrefix("batch.global") })
        // Both folders are called run, so their paths tell them apart.
        #expect(page.texts("h3").contains(one.path) && page.texts("h3").contains(other.path))
        #expect(
            page.texts("title").contains {
                $0.contains("\(one.path), step 3: ") && $0.contains("\(other.path), step 3: ")
            })
    }

    @Test func `a folder that is no run is refused with what to do`() throws {
        let folder = try ReportFolder()
        let parent = folder.scratch.path
        let error = try #require(throws: CheckpointError.self) { try RunReport([parent]) }
        #expect(error.reason == .mismatched && error.place == parent && error.expected == "the folder of a run")
        #expect(error.hint == "runs in it: \(folder.path)")
        #expect(throws: CheckpointError.self) { try RunReport([parent + "/nowhere"]) }
        #expect(throws: CheckpointError.self) { try RunReport([folder.path + "/resolved.yaml"]) }
    }
}
