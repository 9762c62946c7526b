import Foundation
import Testing

private let obstacle: Comment = "mpirun is not installed"

/// The same run on several ranks and threads, and what mpirun makes of errors and signals.
@Suite(.serialized, .enabled(if: Program.hasLauncher, obstacle)) struct RanksTests {
    private func onRanks(_ ranks: Int, _ command: String) -> String { Program.mpirun(ranks) + " " + command }

    @Test func `an error of all ranks is said once and mpirun returns its code`() throws {
        let bench = try Bench(updates: 2)
        let recipe = Program.shell(onRanks(2, "$LACUNA pretrain nowhere.yaml"))
        #expect(recipe.output.components(separatedBy: "nowhere.yaml: cannot open").count == 2, "\(recipe.output)")
        #expect(recipe.code == 64)
        let data = Program.shell(onRanks(2, bench.pretrain("--set data.train.path=/nowhere/digits.safetensors")))
        #expect(data.output.components(separatedBy: "/nowhere/digits.safetensors").count == 2, "\(data.output)")
        #expect(data.code == 65)
        let ranks = Program.shell(onRanks(3, bench.pretrain()))
        #expect(ranks.output.contains("batch.global 100 does not divide into 3 ranks"), "\(ranks.output)")
        #expect(ranks.code == 64)
        let noise = Program.shell(onRanks(2, bench.pretrain("--set 'grad_noise.exclude=[no.such.name]'", run: "noise")))
        #expect(noise.output.components(separatedBy: "found 'no.such.name'").count == 2, "\(noise.output)")
        #expect(noise.code == 64)
        let elr = "$LACUNA finetune Recipes/elr-fcn2x256-digits-sym40-150ep.yaml --threads 1 --run \(bench.folder)/elr "
        let plus = "--set 'objective.elr.plus={mixup_alpha: 1, ema_alpha: 0.9}'"
        let slice = Program.shell(onRanks(2, elr + plus))
        #expect(slice.output.components(separatedBy: "mixup_slice: found none").count == 2, "\(slice.output)")
        #expect(slice.code == 64)
    }

    @Test func `an error of rank 0 in work for all is mpirun's code`() throws {
        let bench = try Bench(updates: 2)
        bench.train()
        let started = Program.shell(onRanks(2, bench.pretrain()))
        #expect(started.output.components(separatedBy: "holds a run already").count == 2, "\(started.output)")
        #expect(started.code == 64)
        // mpirun itself hangs under a limit of file sizes, so a file stands where the checkpoints belong.
        Program.shell("mkdir \(bench.folder)/full && touch \(bench.folder)/full/checkpoints")
        let full = Program.shell(onRanks(2, bench.pretrain(run: "full")))
        #expect(full.code == 74, "\(full.output)")
    }

    @Test func `a gradient that is not finite is skipped on all ranks alike and its samples are captured`() throws {
        let bench = try Bench(
            updates: 20, every: 1, ["base_lr: 1e-2": "base_lr: 1e30", "skipped_updates: 10": "skipped_updates: 3"])
        let ending = Program.shell(onRanks(2, bench.pretrain()))
        #expect(ending.code == 1, "\(ending.output)")
        #expect(ending.output.components(separatedBy: "in 4 updates in a row").count == 2, "\(ending.output)")
        let captures = Program.shell("cat \(bench.folder)/run/captures/*.json").output.split(separator: "\n")
        #expect(captures.count == 4)
        struct Capture: Decodable { let samples: [Int] }
        for line in captures {
            let capture = try JSONDecoder().decode(Capture.self, from: Data(line.utf8))
            #expect(Set(capture.samples).count == 100)
        }
    }

    @Test func `lines under mpirun are whole lines, not a line written over`() throws {
        let bench = try Bench(updates: 2)
        let ending = Program.shell(onRanks(2, bench.pretrain()))
        #expect(ending.code == 0)
        #expect(!ending.output.contains("\u{1B}"))
    }

    @Test(arguments: ["rank 1", "mpirun"])
    func `a signal stops all ranks after the same step with 75, and the resumed run has the same bytes`(
        _ target: String
    ) throws {
        // mpirun hands signals on after up to a second.
        let bench = try Bench(updates: 250, every: 250)
        Program.shell(onRanks(2, bench.pretrain(run: "whole")))
        let signal = target == "mpirun" ? "kill -USR1 $job" : "kill -TERM $(pgrep -P $job | tail -n 1)"
        // mpirun becomes the job itself, so that its number is known.
        let command = "env " + onRanks(2, bench.pretrain())
        let stopped = bench.during(command, steps: 3, signal)
        #expect(stopped.code == 75, "\(stopped.output)")
        #expect(Program.shell(onRanks(2, bench.pretrain("--resume"))).code == 0)
        bench.expectSameBytes("run", "whole", step: 250)
    }

    @Test func `one, two and four ranks see the same losses within 1e-5`() throws {
        let bench = try Bench(updates: 20, every: 100)
        var losses: [Int: [Double]] = [:]
        for ranks in [1, 2, 4] {
            let command = bench.pretrain(run: "ranks-\(ranks)")
            #expect(Program.shell(ranks == 1 ? command : onRanks(ranks, command)).code == 0)
            losses[ranks] = bench.metrics(run: "ranks-\(ranks)").compactMap { $0["loss"] }
        }
        let alone = try #require(losses[1])
        #expect(alone.count == 20)
        for ranks in [2, 4] {
            let others = try #require(losses[ranks])
            let largest = zip(alone, others).map { abs($0 - $1) / abs($0) }.max() ?? .infinity
            print("\(ranks) ranks: losses differ by at most \(largest), relative, over \(others.count) steps")
            #expect(largest <= 1e-5 && others.count == 20)
        }
    }

    @Test func `four kills leave the bytes of the undisturbed run`() {
        let ending = Program.shell("Tests/Faults/kills 4 3")
        print(ending.output)
        #expect(ending.code == 0, "\(ending.output)")
    }
}
