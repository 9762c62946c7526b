import Checkpoints
import Foundation
import Testing

/// Label noise, targets and gradient noise on any number of ranks, and after an interruption.
@Suite struct EarlyLearningTests {
    private let folder = FileManager.default.temporaryDirectory.path + "/lacuna-\(UUID().uuidString)"
    private static let plain = ""
    private static let plus =
        "--set objective.elr.plus.mixup_alpha=1 --set objective.elr.plus.ema_alpha=0.9 --set objective.elr.plus.mixup_slice=16"
    private static let noise = "--set grad_noise.eta=1e-6 --set clip.max_norm=5"

    /// Sixty-four samples an update, 21 updates a pass.
    private func command(_ run: String, _ options: String, epochs: Int = 3) -> String {
        "$LACUNA finetune Recipes/elr-fcn2x256-digits-sym40-150ep.yaml --threads 1 --run \(folder)/\(run) "
            + "--set schedule.kind=constant --set schedule.milestones_epochs=null --set schedule.gamma=null "
            + "--set schedule.epochs=\(epochs) --set evaluation=null --set log.every_updates=1 "
            + "--set checkpoint.every_epochs=1 " + options
    }

    private func finetune(_ run: String, _ options: String, ranks: Int = 1, epochs: Int = 3) -> Ending {
        Program.shell((ranks == 1 ? "" : Program.mpirun(ranks) + " ") + command(run, options, epochs: epochs))
    }

    private func steps(_ run: String) throws -> [Int] { try CheckpointStore("\(folder)/\(run)/checkpoints").steps() }

    private func checkpoint(_ run: String, step: Int) -> String {
        let number = String(repeating: "0", count: 8 - "\(step)".count) + "\(step)"
        return "\(folder)/\(run)/checkpoints/step-\(number)"
    }

    private func targets(_ run: String, step: Int, _ name: String) throws -> [Float] {
        try Safetensors(checkpoint(run, step: step) + "/objective.safetensors").tensor(name).floats
    }

    private func bytes(_ run: String, step: Int, _ file: String) -> Data? {
        FileManager.default.contents(atPath: checkpoint(run, step: step) + "/" + file)
    }

    /// Of each update.
    private func losses(_ run: String) throws -> [Double] {
        let text = try String(contentsOfFile: "\(folder)/\(run)/metrics.jsonl", encoding: .utf8)
        return try text.split(separator: "\n").compactMap { line in
            let numbers = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Double]
            return numbers?["lr"] == nil ? nil : numbers?["loss"]
        }
    }

    private func expectNear(_ one: [Float], _ other: [Float], _ what: String) {
        let worst = zip(one, other).map { abs($0 - $1) }.max() ?? .infinity
        print("\(what): targets differ by at most \(worst)")
        #expect(worst <= 1e-5 && one.count == other.count && one.contains { $0 > 0 }, "\(what)")
    }

    /// Relative; where they are below 1, to 1: the penalty takes the loss through 0.
    private func expectNear(_ one: [Double], _ other: [Double], _ what: String) {
        let worst = zip(one, other).map { abs($0 - $1) / max(abs($0), 1) }.max() ?? .infinity
        print("\(what): losses differ by at most \(worst)")
        #expect(worst <= 1e-5 && one.count == other.count && one.count >= 50, "\(what)")
    }

    @Test(.enabled(if: Program.hasLauncher, "mpirun is not installed"), arguments: [plain, plus])
    func `1, 2 and 4 ranks have the same losses and targets, and sharded ones are the same bits`(
        _ kind: String
    ) throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let step = kind.isEmpty ? 63 : 126
        for ranks in [1, 2, 4] {
            let ending = finetune("r\(ranks)", kind, ranks: ranks)
            #expect(ending.code == 0, "\(ending.output)")
        }
        #expect(finetune("s4", kind + " --set objective.elr.store=sharded", ranks: 4).code == 0)
        for ranks in [2, 4] { expectNear(try losses("r1"), try losses("r\(ranks)"), "\(ranks) ranks") }
        for name in kind.isEmpty ? ["elr/target"] : ["elr/target", "elr/target2"] {
            let alone = try targets("r1", step: step, name)
            for ranks in [2, 4] {
                expectNear(alone, try targets("r\(ranks)", step: step, name), "\(ranks) ranks, \(name)")
            }
            #expect(try targets("s4", step: step, name) == targets("r4", step: step, name))
        }
        #expect(bytes("s4", step: step, "model.safetensors") == bytes("r4", step: step, "model.safetensors"))
    }

    @Test(arguments: [plain, plus, noise])
    func `a run stopped in the middle of an epoch goes on bit for bit`(_ kind: String) throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        // Long enough to be met by a signal.
        let epochs = kind == Self.plus ? 15 : 30
        #expect(finetune("whole", kind, epochs: epochs).code == 0)
        var saved = 0
        // Between two passes a stop would show less: the run goes on to another one.
        while saved % 21 == 0 {
            let stopped = Program.shell(
                """
                \(command("part", kind + (saved > 0 ? " --resume" : ""), epochs: epochs)) & job=$!
                for i in $(seq 1200); do
                    lines=$(cat \(folder)/part/metrics.jsonl 2>/dev/null | wc -l)
                    [ "$lines" -ge \(saved + 30) ] && break; sleep 0.01
                done
                kill -USR1 $job; wait $job
                """)
            try #require(stopped.code == 75, "\(stopped.output)")
            saved = try steps("part").last ?? 0
        }
        #expect(finetune("part", kind + " --resume", epochs: epochs).code == 0)
        for file in ["model.safetensors", "optimizer.safetensors", "objective.safetensors"] {
            let (one, other) = (bytes("whole", step: 630, file), bytes("part", step: 630, file))
            #expect(one != nil && one == other, "\(file)")
        }
    }

    @Test(
        .enabled(if: Program.hasLauncher, "mpirun is not installed"), arguments: [plain, plus],
        ["replicated", "sharded"])
    func `another number of ranks continues the same targets`(_ kind: String, _ store: String) throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let options =
            kind + " --set objective.elr.store=\(store) "
            + "--set 'checkpoint={every_updates: 50, every_epochs: null, keep_last: 9}'"
        let step = kind.isEmpty ? 63 : 126
        #expect(finetune("whole", options).code == 0)
        // Four ranks up to the eighth update of a pass, then two.
        #expect(finetune("part", options, ranks: 4).code == 0)
        for late in try steps("part") where late > 50 {
            try FileManager.default.removeItem(atPath: checkpoint("part", step: late))
        }
        let resumed = finetune("part", options + " --resume", ranks: 2)
        #expect(resumed.code == 0 && resumed.output.contains("resumed after update 50"), "\(resumed.output)")
        for name in kind.isEmpty ? ["elr/target"] : ["elr/target", "elr/target2"] {
            expectNear(
                try targets("whole", step: step, name), try targets("part", step: step, name), "\(store), \(name)")
        }
    }
}
