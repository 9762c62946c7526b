import Checkpoints
import Foundation
import Testing

/// From images to token sets with the program, on the digits that come with the project.
@Suite(.serialized) struct TokenizerVerbTests {
    private static let recipe = "Recipes/tokenizer-vq_vit_micro-digits.yaml"

    private func tokenizer(
        _ bench: Bench, updates: Int = 50, every: Int = 50, start: Int = 6, restartShare: Double = 0.3,
        run: String = "run", _ options: String = ""
    ) -> String {
        "$LACUNA tokenizer \(Self.recipe) --threads 1 --run \(bench.folder)/\(run) --set schedule.updates=\(updates) --set schedule.warmup_updates=5 "
            + "--set objective.start_updates=\(start) --set objective.restart_share=\(restartShare) --set log.every_updates=1 "
            + "--set checkpoint.every_updates=\(every) \(options)"
    }

    private func tokenize(_ bench: Bench, _ output: String, _ options: String = "") -> String {
        "$LACUNA tokenize \(bench.folder)/run --threads 1 --output \(bench.folder)/\(output) \(options)"
    }

    /// A token that lies between two codes takes the other one for a difference in its last bits. From then on counts differ
    /// by one and losses part by some 2e-5; codes that start again lie close together at first, so that this comes sooner.
    /// Until then everything agrees.
    @Test(.enabled(if: Program.hasLauncher, "mpirun is not installed"), arguments: [(0.0, 30), (0.3, 18)])
    func `the codebook does not depend on the number of ranks`(form: (restartShare: Double, updates: Int)) throws {
        let bench = try Bench()
        for ranks in [1, 2, 4] {
            let command = tokenizer(
                bench, updates: form.updates, every: form.updates, restartShare: form.restartShare,
                run: "ranks-\(ranks)")
            let ending = Program.shell(ranks == 1 ? command : Program.mpirun(ranks) + " " + command)
            #expect(ending.code == 0, "\(ending.output)")
        }
        let alone = bench.metrics(run: "ranks-1")
        #expect(alone.count == form.updates)
        for ranks in [2, 4] {
            let others = bench.metrics(run: "ranks-\(ranks)")
            let same = zip(alone, others).prefix { abs(($0["perplexity"] ?? 0) - ($1["perplexity"] ?? 0)) < 1e-6 }
            #expect(same.count >= 8, "a token is another one after \(same.count) updates on \(ranks) ranks")
            // Not only a restart: what is learned with the codes that it gave, too.
            let restarts = same.dropLast().contains { ($0.0["restarts_per_update"] ?? 0) > 0 }
            #expect(restarts == (form.restartShare > 0), "\(same.count) updates on \(ranks) ranks")
            for key in ["loss", "psnr", "perplexity", "used_codes", "restarts_per_update"] {
                let pairs = same.map { ($0[key] ?? 0, $1[key] ?? 0) }
                let largest = pairs.map { abs($0 - $1) / max(abs($0), 1e-6) }.max() ?? .infinity
                print("\(ranks) ranks: \(key) differs by at most \(largest), relative")
                #expect(largest <= 1e-5, "\(key) on \(ranks) ranks")
            }
        }
    }

    /// Vectors of several updates start this codebook: one stop falls among them, one after it.
    @Test(arguments: [4, 20]) func `a tokenizer that was stopped goes on with the same bytes`(stop: Int) throws {
        let bench = try Bench()
        let command = { run, options in
            tokenizer(bench, updates: 30, every: stop, run: run, "--set batch.global=20 " + options)
        }
        #expect(Program.shell(command("whole", "")).code == 0)
        let stopped = bench.during(command("parts", ""), run: "parts", steps: stop, "kill -9 $job")
        #expect(stopped.code != 0)
        let resumed = Program.shell(command("parts", "--resume"))
        #expect(resumed.code == 0, "\(resumed.output)")
        bench.expectSameBytes("parts", "whole", step: 30)
    }

    @Test(.enabled(if: Program.hasLauncher, "mpirun is not installed"), arguments: [1, 2])
    func `a token set that a signal stopped is gone on with, to the same bytes`(ranks: Int) throws {
        let bench = try Bench()
        #expect(Program.shell(tokenizer(bench, updates: 20, every: 20)).code == 0)
        let images = ["kind=procedural", "count=40000", "size=8", "first=0", "seed=0", "path=null", "split=null"]
        let options = "--batch 1" + images.reduce("") { $0 + " --set data.train." + $1 }
        let start = (ranks == 1 ? "" : Program.mpirun(ranks) + " ") + tokenize(bench, "parts.safetensors", options)
        let stopped = Program.shell(
            """
            env \(start) & job=$!; parts=\(bench.folder)/parts.safetensors.parts
            for i in $(seq 1000); do [ -e $parts/part-1.safetensors ] && break; sleep 0.01; done
            kill -USR1 \(ranks == 1 ? "$job" : "$(pgrep -P $job | tail -n 1)"); wait $job
            """)
        #expect(stopped.code == 75 && stopped.output.contains("start again to go on"), "\(stopped.output)")
        #expect(!bench.exists("parts.safetensors"))
        let resumed = Program.shell(start)
        #expect(resumed.code == 0 && resumed.output.contains("of 79 parts are there"), "\(resumed.output)")
        #expect(!bench.exists("parts.safetensors.parts"))
        #expect(Program.shell(tokenize(bench, "whole.safetensors", options)).code == 0)
        #expect(bench.bytes("parts.safetensors") == bench.bytes("whole.safetensors"))
    }

    @Test func `images become a token set that can be checked, published and read again`() throws {
        let bench = try Bench()
        let trained = Program.shell(tokenizer(bench))
        #expect(trained.code == 0 && trained.output.contains("codes used"), "\(trained.output)")
        let train = Program.shell(tokenize(bench, "train.safetensors"))
        #expect(train.code == 0 && train.output.contains("1,400 of 4 x 4 ids, 10 classes"), "\(train.output)")
        #expect(train.output.contains("of the source"))
        let test = Program.shell(
            tokenize(bench, "test.safetensors", "--evaluation --codebook \(bench.folder)/train.safetensors"))
        #expect(test.code == 0 && test.output.contains("397 of 4 x 4 ids"), "\(test.output)")
        let verified = Program.shell("$LACUNA data verify \(bench.folder)/train.safetensors")
        #expect(verified.code == 0 && verified.output.contains("1400 samples read, all good"), "\(verified.output)")
        // Written again in the published form and read from there: the same ids.
        let there = "\(bench.folder)/again"
        let published = Program.shell(
            """
            $LACUNA tokens export \(bench.folder)/train.safetensors --published \(there) --array \(there).npy &&
            $LACUNA tokens import \(there)-token.data.bin.gz --labels \(there)-label.txt \
                --codebook \(there)-codebook.npy --output \(there).safetensors &&
            $LACUNA tokens export \(there).safetensors --array \(there)-2.npy && cmp \(there).npy \(there)-2.npy
            """)
        #expect(published.code == 0, "\(published.output)")
        #expect(Program.shell(tokenize(bench, "train.safetensors")).code == 65)
        // Two at once would write the same parts.
        let other = try RunLock("\(bench.folder)/busy.safetensors.parts")
        let busy = Program.shell(tokenize(bench, "busy.safetensors"))
        #expect(busy.code != 0 && busy.output.contains("it is alive"), "\(busy.output)")
        try other.release()
        #expect(Program.shell(tokenize(bench, "busy.safetensors")).code == 0)
    }

    @Test(.enabled(if: Program.hasLauncher, "mpirun is not installed"))
    func `a token set is finished from its parts, by another number of ranks`() throws {
        let bench = try Bench()
        let start = Program.shell(tokenizer(bench) + " && " + tokenize(bench, "whole.safetensors"))
        #expect(start.code == 0, "\(start.output)")
        // 1,400 digits are three parts; a folder where the last one belongs ends the first start.
        let parts = "\(bench.folder)/set.safetensors.parts"
        let ending = Program.shell(
            "mkdir -p \(parts)/part-2.safetensors/in-the-way; " + tokenize(bench, "set.safetensors"))
        #expect(ending.code == 74 && ending.output.contains("part-2.safetensors"), "\(ending.output)")
        #expect(!bench.exists("set.safetensors") && bench.exists("set.safetensors.parts/part-1.safetensors"))
        // Images that are cut in another way have other parts.
        let foreign = Program.shell(
            tokenize(bench, "set.safetensors", "--set images.evaluation.interpolation=bicubic"))
        #expect(
            foreign.code == 65 && foreign.output.contains("a part of another tokenizer or set"), "\(foreign.output)")
        // The first part is damaged and made again, the second is found.
        let resumed = Program.shell(
            "rm -r \(parts)/part-2.safetensors; printf x | dd of=\(parts)/part-0.safetensors bs=1 seek=900 conv=notrunc "
                + "2>/dev/null; \(Program.mpirun(2)) " + tokenize(bench, "set.safetensors"))
        #expect(resumed.code == 0 && resumed.output.contains("1 of 3 parts are there"), "\(resumed.output)")
        #expect(bench.bytes("set.safetensors") == bench.bytes("whole.safetensors"))
    }

    @Test func `a damaged, cut or foreign token set is refused with file and record`() throws {
        let bench = try Bench()
        #expect(Program.shell(tokenizer(bench) + " && " + tokenize(bench, "train.safetensors")).code == 0)
        let path = bench.folder + "/train.safetensors"
        let whole = try #require(bench.bytes("train.safetensors"))
        func verify(_ bytes: Data) throws -> Ending {
            try bytes.write(to: URL(fileURLWithPath: path))
            return Program.shell("$LACUNA data verify \(path)")
        }
        // The records stand last: one byte of record 1399 changes.
        var damaged = whole
        damaged[damaged.count - 1] ^= 1
        let broken = try verify(damaged)
        #expect(broken.code == 65 && broken.output.contains("\(path), record 1399: damaged"), "\(broken.output)")
        let cut = try verify(whole.dropLast(100))
        #expect(cut.code == 65 && cut.output.contains("cut short") && cut.output.contains(path), "\(cut.output)")
        var foreign = whole
        let header = Int(whole[0]) | Int(whole[1]) << 8
        // The widest elements come first: labels and counts, 8 bytes each, then the codebook.
        let start = try #require(String(decoding: whole[8..<8 + header], as: UTF8.self).firstOffset(of: "codebook"))
        foreign[8 + header + start] ^= 1
        let other = try verify(foreign)
        #expect(
            other.code == 65 && other.output.contains("the codebook does not belong to this set"), "\(other.output)")
    }
}

extension String {
    /// Where the bytes of a tensor begin, from a safetensors header.
    fileprivate func firstOffset(of tensor: String) -> Int? {
        guard let entry = range(of: "\"\(tensor)\":{\"dtype\""),
            let offsets = self[entry.upperBound...].range(of: "\"data_offsets\":[")
        else { return nil }
        return Int(self[offsets.upperBound...].prefix { $0.isNumber })
    }
}
