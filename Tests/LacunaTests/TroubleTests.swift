import Foundation
import Testing

/// Signals, full disks and numbers that are none, in one process.
@Suite(.serialized) struct TroubleTests {
    @Test(arguments: ["USR1", "TERM", "INT"])
    func `a signal saves, ends with 75, and the resumed run ends with the same bytes`(_ signal: String) throws {
        let bench = try Bench(updates: 40, every: 100)
        bench.train(run: "whole")
        let stopped = bench.during(bench.pretrain(), steps: 3, "kill -\(signal) $job")
        #expect(stopped.code == 75)
        #expect(stopped.output.contains("stopped by a signal and saved; go on with --resume"), "\(stopped.output)")
        #expect(!bench.exists("run/LOCK"))
        let resumed = bench.train("--resume")
        #expect(resumed.output.contains("resumed after update"))
        #expect(resumed.code == 0)
        bench.expectSameBytes("run", "whole", step: 40)
    }

    @Test func `Ctrl-C twice ends at once and leaves the last checkpoint whole`() throws {
        // Large batches: the second comes while the step of the first is still going on.
        let bench = try Bench(updates: 2000, every: 2, ["global: 100": "global: 1400"])
        let ending = bench.during(bench.pretrain(), steps: 5, "sleep 0.2; kill -INT $job; sleep 0.02; kill -INT $job")
        // 75: the first was served before the second came.
        #expect([130, 75].contains(ending.code), "\(ending.output)")
        let resumed = bench.during(bench.pretrain("--resume"), steps: 7, "kill -USR1 $job")
        #expect(resumed.output.contains("resumed after update"), "\(resumed.output)")
        #expect(!resumed.output.contains("damaged"))
        #expect(resumed.code == 75)
    }

    @Test func `a full disk costs checkpoints, then ends the run with 74 and keeps the old one`() throws {
        let bench = try Bench(updates: 40, every: 4, ["failed_saves: 3": "failed_saves: 1"])
        bench.train(run: "whole")
        #expect(bench.during(bench.pretrain(), steps: 5, "kill -USR1 $job").code == 75)
        let full = Program.shell("ulimit -f 500; " + bench.pretrain("--resume"))
        #expect(full.output.contains("not written, training goes on"), "\(full.output)")
        #expect(full.output.contains("2 checkpoints in a row could not be written, the older ones stand"))
        #expect(full.code == 74)
        #expect(Program.shell("ls \(bench.folder)/run/checkpoints | grep -c tmp").output == "0\n")
        #expect(!bench.exists("run/LOCK"))
        #expect(bench.train("--resume").code == 0)
        bench.expectSameBytes("run", "whole", step: 40)
    }

    @Test func `a last checkpoint that cannot be written is no finished run`() throws {
        let bench = try Bench(updates: 2, every: 100)
        let ending = Program.shell("ulimit -f 500; " + bench.pretrain())
        #expect(!ending.output.contains("done"), "\(ending.output)")
        #expect(ending.code == 74)
    }

    @Test func `a full disk under the log costs the log alone`() throws {
        let bench = try Bench(updates: 4)
        Program.shell("mkdir \(bench.folder)/run && ln -s /dev/full \(bench.folder)/run/metrics.jsonl")
        let ending = bench.train()
        #expect(ending.output.components(separatedBy: "metrics are no longer written").count == 2, "\(ending.output)")
        #expect(ending.code == 0)
    }

    @Test func `a log that cannot be opened costs the log alone`() throws {
        let bench = try Bench(updates: 4)
        Program.shell("mkdir -p \(bench.folder)/run/metrics.jsonl")
        let ending = bench.train()
        #expect(ending.output.components(separatedBy: "metrics are not written").count == 2, "\(ending.output)")
        #expect(ending.code == 0)
    }

    @Test func `a folder that takes no files ends with 74`() throws {
        let bench = try Bench()
        Program.shell("touch \(bench.folder)/file")
        let ending = bench.train(run: "file/run")
        #expect(ending.output.contains("file"), "\(ending.output)")
        #expect(ending.code == 74)
    }

    @Test func `an exploding rate is skipped without a change, captured and given up after the cap`() throws {
        let bench = try Bench(
            updates: 20, every: 1,
            [
                "base_lr: 1e-2": "base_lr: 1e30", "skipped_updates: 10": "skipped_updates: 3",
                "keep_last: 2": "keep_last: 30",
            ])
        let ending = bench.train()
        #expect(ending.output.contains("no weight was changed (3 in a row)"), "\(ending.output)")
        #expect(ending.output.contains("the gradient was not finite in 4 updates in a row"))
        #expect(ending.output.contains("the loss is not finite, first in "))
        #expect(ending.code == 1)
        #expect(!bench.exists("run/LOCK"))
        // The checkpoints of the skipped updates hold the same numbers: only the step in the header differs.
        let files = Program.shell("ls \(bench.folder)/run/checkpoints").output.split(separator: "\n")
        let (last, before) = (try #require(files.last), try #require(files.dropLast().last))
        let folder = bench.folder + "/run/checkpoints"
        for file in ["model.safetensors", "optimizer.safetensors"] {
            let command = "cmp -l \(folder)/\(last)/\(file) \(folder)/\(before)/\(file) | wc -l"
            let difference = Program.shell(command).output.prefix { $0 != "\n" }
            #expect(Int(difference).map { $0 <= 2 } == true, "\(file): \(difference) bytes")
        }
        #expect(Program.shell("ls \(bench.folder)/run/captures | wc -l").output == "4\n")
    }
}
