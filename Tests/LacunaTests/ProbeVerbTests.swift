import Foundation
import Testing

/// `probe`, `knn` and `embed` on a short run over the digits.
@Suite(.serialized) struct ProbeVerbTests {
    private func card(_ bench: Bench, _ name: String) throws -> [String: Any] {
        let data = try #require(bench.bytes("run/evaluation/\(name).json"), "no card \(name)")
        return try #require(JSONSerialization.jsonObject(with: data) as? [String: Any])
    }

    private func score(_ card: [String: Any], _ name: String) throws -> [String: Any] {
        let scores = try #require(card["scores"] as? [String: Any])
        return try #require(scores[name] as? [String: Any], "\(scores.keys)")
    }

    @Test func `every score has a card, and features are computed once`() throws {
        let bench = try Bench()
        #expect(bench.train().code == 0)
        let run = bench.folder + "/run"
        let probe = Program.shell("$LACUNA probe \(run) --threads 1 --protocol logistic --seeds 3,5")
        #expect(probe.code == 0, "\(probe.output)")
        let linear = try card(bench, "linear-logistic-step-12")
        #expect(linear["seeds"] as? [Int] == [3, 5])
        let top1 = try score(linear, "top1")
        #expect((top1["values"] as? [Double])?.count == 2 && top1["sd"] is Double)
        // Ten classes, and even these weights tell more than chance.
        #expect((top1["mean"] as? Double ?? 0) > 30)
        let settings = try #require(linear["settings"] as? [String: Any])
        #expect(settings["feature"] as? String == "blocks.2 mean")
        #expect(settings["norm"] as? String == "whitening without parameters")
        let files = try FileManager.default.contentsOfDirectory(atPath: run + "/features")
        #expect(files.count == 2)

        let knn = Program.shell("$LACUNA knn \(run) --threads 1 --k 5,20 --shots 10")
        #expect(knn.code == 0, "\(knn.output)")
        let vote = try card(bench, "knn-step-12-10-shot")
        #expect((try score(vote, "top1 k=5")["values"] as? [Double])?.count == 3)
        #expect((vote["data"] as? [String: Any])?["train_samples"] as? Int == 100)
        #expect(try FileManager.default.contentsOfDirectory(atPath: run + "/features").sorted() == files.sorted())

        let fresh = Program.shell("$LACUNA knn \(run) --threads 1 --untrained --no-cache --ema")
        #expect(fresh.code == 64)
        #expect(Program.shell("$LACUNA knn \(run) --threads 1 --untrained --no-cache").code == 0)
        #expect(bench.exists("run/evaluation/knn-untrained.json"))
        #expect(try FileManager.default.contentsOfDirectory(atPath: run + "/features").count == 2)
        #expect(Program.shell("$LACUNA probe \(run) --layer 5").code == 64)
        #expect(Program.shell("$LACUNA probe \(run) --set data.evaluation=null").code == 64)
        #expect(Program.shell("$LACUNA probe \(run)/nowhere").code == 74)
        #expect(Program.shell("$LACUNA embed \(run) --output \(run)/none/a.safetensors").code != 0)
    }

    @Test func `embeddings are the same from one rank and from two, and as a table`() throws {
        let bench = try Bench()
        #expect(bench.train().code == 0)
        let (run, folder) = (bench.folder + "/run", bench.folder)
        let one = Program.shell("$LACUNA embed \(run) --no-cache --threads 1 --output \(folder)/one.safetensors")
        #expect(one.code == 0, "\(one.output)")
        if Program.hasLauncher {
            let two = Program.shell(
                "\(Program.mpirun(2)) $LACUNA embed \(run) --no-cache --output \(folder)/two.safetensors")
            #expect(two.code == 0, "\(two.output)")
            #expect(bench.bytes("one.safetensors") == bench.bytes("two.safetensors"))
        }
        #expect(Program.shell("$LACUNA embed \(run) --csv --output \(folder)/table.csv").code == 0)
        let lines = String(decoding: bench.bytes("table.csv") ?? Data(), as: UTF8.self).split(separator: "\n")
        #expect(lines.count == 398)
        #expect(lines.first?.hasPrefix("sample,label,f0,f1,") == true)
        #expect(lines.allSatisfy { $0.split(separator: ",").count == 66 })
    }

    /// The encoder stands still, so that only the probe can get better.
    @Test func `an online probe learns to tell digits apart`() throws {
        let bench = try Bench(
            updates: 75, every: 75,
            [
                "log:\n": "online_probe:\n  lr: 1e-2\n\nlog:\n", "  depth: 4": "  depth: 1",
                "mask_ratio: 0.6": "mask_ratio: 0.05", "base_lr: 1e-2": "base_lr: 0",
                "warmup_lr: 1e-6": "warmup_lr: 0", "min_lr: 1e-5": "min_lr: 0",
            ])
        #expect(bench.train().code == 0)
        let curve = bench.metrics().compactMap { $0["online_probe_top1"] }
        #expect(curve.count == 75)
        let (first, last) = (curve.prefix(5).reduce(0, +) / 5, curve.suffix(10).reduce(0, +) / 10)
        // Chance is 10 %.
        #expect(last > 20 && last > first + 5, "\(first) % to \(last) %")
    }

    @Test func `a run with an online probe resumes bit for bit, on one rank and on two`() throws {
        let bench = try Bench(["log:\n": "online_probe:\n  lr: 1e-2\n\nlog:\n"])
        let rhythm = "--set log.every_updates=5"
        func same(_ one: String, _ other: String) {
            for file in ["model", "optimizer", "objective"] {
                let path = "checkpoints/step-00000012/\(file).safetensors"
                let (left, right) = (bench.bytes("\(one)/\(path)"), bench.bytes("\(other)/\(path)"))
                #expect(left != nil && left == right, "\(file) of \(one) and \(other)")
            }
            #expect(bench.metrics(run: one) == bench.metrics(run: other))
            #expect(bench.metrics(run: one).last?["online_probe_top1"] != nil)
        }
        #expect(bench.train(rhythm, run: "whole").code == 0)
        // Step 8 is saved between two log lines: the samples counted so far are part of the state.
        #expect(bench.train(rhythm, run: "cut").code == 0)
        Program.shell(
            "rm -r \(bench.folder)/cut/checkpoints/step-00000012")
        let resumed = bench.train(rhythm + " --resume", run: "cut")
        #expect(resumed.code == 0 && resumed.output.contains("resumed after update 8"), "\(resumed.output)")
        same("whole", "cut")
        guard Program.hasLauncher else { return }
        let two = Program.mpirun(2)
        #expect(Program.shell("\(two) \(bench.pretrain(rhythm, run: "two"))").code == 0)
        Program.shell("cp -r \(bench.folder)/two \(bench.folder)/again")
        Program.shell("cd \(bench.folder)/again/checkpoints && rm -r step-00000012; rm -f ../LOCK")
        let again = Program.shell("\(two) \(bench.pretrain(rhythm + " --resume", run: "again"))")
        #expect(again.code == 0, "\(again.output)")
        same("two", "again")
    }
}
