import Foundation
import Testing

/// `lacuna finetune` as a user calls it: a classifier of digits in a few updates.
@Suite struct FinetuneVerbTests {
    private let bench: Bench

    init() throws { bench = try Bench(updates: 4) }

    private func finetune(_ options: String = "", run: String = "run", updates: Int = 12) -> String {
        """
        $LACUNA finetune Recipes/finetune-vit_micro-digits.yaml --threads 1 --run \(bench.folder)/\(run) \
        --set schedule.epochs=null --set schedule.updates=\(updates) --set schedule.warmup_epochs=null \
        --set schedule.warmup_updates=2 --set log.every_updates=1 --set checkpoint.every_epochs=null \
        --set checkpoint.every_updates=4 --set evaluation.every_epochs=null --set evaluation.every_updates=3 \
        --set ema.decay=0.8 \(options)
        """
    }

    private func step(_ run: String, _ step: Int) -> String {
        "\(run)/checkpoints/step-" + String(repeating: "0", count: 8 - "\(step)".count) + "\(step)"
    }

    private func json(_ name: String) throws -> [String: Any] {
        let bytes = try #require(bench.bytes(name))
        return try #require(JSONSerialization.jsonObject(with: bytes) as? [String: Any])
    }

    /// Lines of `metrics.jsonl` without what differs between equal runs.
    private func lines(_ run: String) -> [String] {
        let text = String(decoding: bench.bytes("\(run)/metrics.jsonl") ?? Data(), as: UTF8.self)
        return text.split(separator: "\n").map { line in
            String(line).replacing(
                /"(images_per_second|data_wait_share|exchange_wait_share|seconds)": [^,}]*/, with: "")
        }
    }

    @Test func `from pretraining to a test score with its card`() throws {
        #expect(bench.train().code == 0)
        // A script that goes on where it was stopped says --resume the first time too.
        let ending = Program.shell(finetune("--resume --from \(bench.folder)/run", run: "fine"))
        #expect(ending.code == 0, "\(ending.output)")
        #expect(ending.output.contains("test of the last weights (step 12): top-1 "))
        #expect(ending.output.contains("test of the EMA weights (step 12): top-1 "))
        #expect(ending.output.contains("test of the best weights (step "))
        let card = try json("fine/evaluation/finetune.json")
        #expect(card["protocol"] as? String == "finetune" && card["step"] as? Int == 12)
        let settings = try #require(card["settings"] as? [String: Any])
        #expect((settings["from"] as? String)?.hasSuffix("run/checkpoints/step-00000004/model.safetensors") == true)
        let score = try #require((card["scores"] as? [String: Any])?["top1"] as? [String: Any])
        let mean = try #require(score["mean"] as? Double)
        #expect(ending.output.contains("top-1 \(String(format: "%.2f", mean)) %"))
        let again = Program.shell(finetune("--resume", run: "fine"))
        #expect(again.code == 0 && again.output.contains("finished already"), "\(again.output)")
    }

    @Test func `a stopped fine-tune goes on bit for bit, averages and best step included`() throws {
        // Evaluated at every step, so that the signal meets an evaluation as likely as a step.
        let often = "--set evaluation.every_updates=1"
        #expect(Program.shell(finetune(often, run: "whole", updates: 40)).code == 0)
        let part = bench.during(finetune(often, run: "part", updates: 40), run: "part", steps: 20, "kill -USR1 $job")
        #expect(part.code == 75, "\(part.output)")
        let resumed = Program.shell(finetune(often + " --resume", run: "part", updates: 40))
        #expect(resumed.code == 0, "\(resumed.output)")
        for file in ["model.safetensors", "optimizer.safetensors", "ema.safetensors"] {
            let (one, other) = (bench.bytes("\(step("whole", 40))/\(file)"), bench.bytes("\(step("part", 40))/\(file)"))
            #expect(one != nil && one == other, "\(file)")
        }
        let states = try ["whole", "part"].map { try json("\(step($0, 40))/state.json")["extra"] as? [String: Any] }
        for key in ["best/step", "best/value", "evaluation/step"] {
            let values = states.map { $0?[key] as? Double }
            #expect(values[0] != nil && values[0] == values[1], "\(key)")
        }
        #expect(lines("whole") == lines("part") && lines("whole").count == 80)
    }

    @Test(.enabled(if: Program.hasLauncher, "mpirun is not installed"))
    func `any number of ranks counts every test image once`() throws {
        // The weights do not move, so that all runs score the same ones; 397 images divide by no number of ranks.
        let still = "--set schedule.base_lr=0 --set schedule.warmup_lr=0 --set schedule.min_lr=0"
        let options = still + " --set batch.global=96 --set evaluation.batch=40"
        let scores = [1, 2, 3].map { ranks in
            let command = finetune(options, run: "r\(ranks)", updates: 3)
            let ending = Program.shell(
                ranks == 1 ? command : command.replacing("$LACUNA", with: Program.mpirun(ranks) + " $LACUNA"))
            #expect(ending.code == 0, "\(ending.output)")
            return ending.output.split(separator: "\n").first { $0.hasPrefix("test of the last") }.map(String.init)
        }
        #expect(scores[0] != nil && Set(scores).count == 1, "\(scores)")
        #expect(lines("r3").contains { $0.contains("\"images\": 397.0") })
    }

    @Test func `what cannot be begun ends with a usage code`() throws {
        #expect(bench.train().code == 0)
        let wrong = [
            (finetune("--ema"), "give --from too"),
            (finetune("--from \(bench.folder)/nowhere", run: "n"), "no such file or folder"),
            (finetune("--from \(bench.folder)/run --ema", run: "a"), "no EMA weights"),
            (finetune("--from \(bench.folder)/run --set model.num_heads=2", run: "b"), "model.num_heads 4, here 2"),
            ("$LACUNA finetune \(bench.recipe)", "kind 'finetune' expected, found 'pretrain'"),
            ("$LACUNA pretrain Recipes/finetune-vit_micro-digits.yaml", "kind 'pretrain' expected, found 'finetune'"),
            (finetune("--set objective.kind=simmim", run: "c"), "'simmim' belongs to recipes of kind 'pretrain'"),
        ]
        for (command, text) in wrong {
            let ending = Program.shell(command)
            #expect([64, 74].contains(ending.code) && ending.output.contains(text), "\(ending.code): \(ending.output)")
        }
    }

    @Test func `a run that began with other weights does not go on with these`() throws {
        #expect(bench.train().code == 0)
        #expect(Program.shell(finetune(run: "own", updates: 3)).code == 0)
        let ending = Program.shell(finetune("--resume --from \(bench.folder)/run", run: "own", updates: 3))
        #expect(ending.code == 64 && ending.output.contains("start values of its own"), "\(ending.output)")
    }
}
