import Foundation
import Testing

/// One folder, several starts: who may write there, and from where it goes on.
@Suite(.serialized) struct RunFolderTests {
    @Test func `a finished run gives its folder free and says so when it is resumed`() throws {
        let bench = try Bench(updates: 4, every: 2)
        #expect(bench.train().code == 0)
        #expect(!bench.exists("run/LOCK"))
        for file in ["recipe.yaml", "resolved.yaml", "environment.json"] { #expect(bench.exists("run/" + file)) }
        #expect(bench.bytes("run/recipe.yaml") == bench.bytes("recipe.yaml"))
        let before = bench.bytes("run/metrics.jsonl")
        let again = bench.train("--resume")
        #expect(again.output.contains("finished already"), "\(again.output)")
        #expect(again.code == 0)
        #expect(bench.bytes("run/metrics.jsonl") == before)
        #expect(!bench.exists("run/LOCK"))
    }

    @Test func `a folder that holds a run is not overwritten`() throws {
        let bench = try Bench(updates: 2)
        bench.train()
        let ending = bench.train()
        #expect(ending.output.contains("holds a run already; continue it with --resume"), "\(ending.output)")
        #expect(ending.code == 64)
        #expect(!bench.exists("run/LOCK"))
    }

    @Test func `a second job on the folder refuses within 5 seconds and names the owner`() throws {
        let bench = try Bench(updates: 5000)
        let ending = bench.during(
            bench.pretrain() + " >/dev/null", steps: 2,
            """
            begun=$(date +%s%N); \(bench.pretrain("--resume")); echo "second $?"
            echo "milliseconds $((($(date +%s%N) - begun) / 1000000)) owner $job"; kill -USR1 $job
            """)
        #expect(ending.code == 75)
        #expect(ending.output.contains("second 64"), "\(ending.output)")
        let owner = try #require(ending.output.split(separator: " ").last.map { $0.dropLast() })
        #expect(ending.output.contains("process \(owner)"), "\(ending.output)")
        #expect(ending.seconds < 30)
        let words = ending.output.split { $0 == " " || $0 == "\n" }
        let milliseconds = try #require(words.firstIndex(of: "milliseconds").flatMap { Int(words[$0 + 1]) })
        #expect(milliseconds < 5000)
    }

    @Test func `a run whose folder was taken over stops before it writes another checkpoint`() throws {
        let bench = try Bench(updates: 5000, every: 200)
        let ending = bench.during(
            bench.pretrain(), steps: 2,
            "sed -i 's/\"token\":[0-9]*/\"token\":7/' \(bench.folder)/run/LOCK")
        #expect(ending.output.contains("another run took this folder over"), "\(ending.output)")
        #expect(ending.code == 64)
        #expect(!bench.exists("run/checkpoints/step-00000200"))
        #expect(bench.exists("run/LOCK"))
    }

    @Test func `a changed recipe is refused with the difference, and passes when it is allowed`() throws {
        let bench = try Bench()
        #expect(bench.during(bench.pretrain(), steps: 2, "kill -USR1 $job").code == 75)
        let refused = bench.train("--resume --set optimizer.weight_decay=0.1")
        #expect(refused.output.contains("optimizer.weight_decay: 0.05 → 0.1"), "\(refused.output)")
        #expect(refused.output.contains("--allow-change optimizer.weight_decay"))
        #expect(refused.code == 64)
        #expect(!bench.exists("run/LOCK"))
        let allowed = bench.train(
            "--resume --set optimizer.weight_decay=0.1 --allow-change optimizer.weight_decay --set log.every_updates=2")
        #expect(allowed.output.contains("recipe changed: optimizer.weight_decay"), "\(allowed.output)")
        #expect(allowed.code == 0)
    }

    @Test func `changed data are refused with both counts`() throws {
        let bench = try Bench()
        let data = "Datasets/digits/digits.safetensors"
        let copy = bench.folder + "/digits.safetensors"
        try FileManager.default.copyItem(atPath: Program.root + "/" + data, toPath: copy)
        let own = "--set data.train.path=\(copy)"
        #expect(bench.during(bench.pretrain(own), steps: 2, "kill -USR1 $job").code == 75)
        var bytes = try #require(bench.bytes("digits.safetensors"))
        // Somewhere in the first images; grey values stay in 0...16.
        let place = bytes.startIndex + 2000
        bytes[place] = bytes[place] == 3 ? 4 : 3
        try bytes.write(to: URL(fileURLWithPath: copy))
        let ending = bench.train("--resume \(own)")
        #expect(ending.output.contains("data: ") && ending.output.contains("1400 samples"), "\(ending.output)")
        #expect(ending.output.contains("the counts agree: files were replaced"))
        #expect(ending.code == 64)
    }

    @Test func `a damaged newest checkpoint is skipped with a line, and the run ends with the same bytes`() throws {
        let bench = try Bench()
        bench.train(run: "whole")
        bench.train()
        Program.shell("truncate -s -4096 \(bench.folder)/run/checkpoints/step-00000012/model.safetensors")
        let ending = bench.train("--resume")
        #expect(ending.output.contains("checkpoint of step 12 is damaged, taking an older one"), "\(ending.output)")
        #expect(ending.output.contains("resumed after update 8"))
        #expect(ending.code == 0)
        bench.expectSameBytes("run", "whole")
    }

    @Test func `a resume without a checkpoint and one at an epoch's edge end with the same bytes`() throws {
        // 14 updates are an epoch.
        let bench = try Bench(updates: 20, every: 14)
        bench.train(run: "whole")
        let early = bench.during(bench.pretrain(), steps: 2, "kill -9 $job")
        #expect(early.code == 137)
        let edge = bench.during(bench.pretrain("--resume"), steps: 15, "kill -9 $job")
        #expect(edge.output.contains("no checkpoint yet, starting from the beginning"), "\(edge.output)")
        let last = bench.train("--resume")
        #expect(last.output.contains("resumed after update 14") || edge.code == 0, "\(last.output)")
        bench.expectSameBytes("run", "whole", step: 20)
    }
}
