import Checkpoints
import Foundation
import Testing

/// Label noise, targets and gradient noise on any number of ranks, and after an interruption.
@Suite struct EarlyLearningTests {
    private let folder = FileManager.default.temporaryDirectory.path + "/lacuna-\(UUID().uuidString)"
    private static let plain = ""
    private static let plus =
        "--set objective.elr.plus.mixup_alpha=1 --set objective.elr.plus.ema_alpha=0.9 --set objective.elr.plus.mixup_slice=16"
    private static let noise = "--set grad_noise.eta=1e-6 --set clip.norm=5"

    /// Sixty-four samples an update, 21 updates a pass.
    private func finetune(_ run: String, _ options: String, ranks: Int = 1, epochs: Int = 3) -> Ending {
        let launcher = ranks == 1 ? "" : Program.mpirun(ranks) + " "
        return Program.shell(
            launcher
                + "$LACUNA finetune Recipes/elr-fcn2x256-digits-sym40-150ep.yaml --threads 1 --run \(folder)/\(run) "
                + "--set schedule.kind=constant --set schedule.milestones_epochs=null --set schedule.gamma=null "
                + "--set schedule.epochs=\(epochs) --set evaluation=null --set log.every_updates=1 "
                + "--set checkpoint.every_epochs=1 " + options)
    }

    private func targets(_ run: String, step: Int, _ name: String = "elr/target") throws -> [Float] {
        let number = String(repeating: "0", count: 8 - "\(step)".count) + "\(step)"
        return try Safetensors("\(folder)/\(run)/checkpoints/step-\(number)/objective.safetensors").tensor(name).floats
    }

    private func bytes(_ run: String, step: Int, _ file: String) -> Data? {
        let number = String(repeating: "0", count: 8 - "\(step)".count) + "\(step)"
        return FileManager.default.contents(atPath: "\(folder)/\(run)/checkpoints/step-\(number)/\(file)")
    }

    private func expectNear(_ one: [Float], _ other: [Float], _ what: String) {
        let worst = zip(one, other).map { abs($0 - $1) }.max() ?? .infinity
        print("\(what): targets differ by at most \(worst)")
        #expect(worst <= 1e-5 && one.count == other.count && one.contains { $0 > 0 }, "\(what)")
    }

    @Test(.enabled(if: Program.hasLauncher, "mpirun is not installed"), arguments: [plain, plus])
    func `1, 2 and 4 ranks have the same targets, and sharded ones are the same bits`(_ kind: String) throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let step = kind.isEmpty ? 63 : 126
        for ranks in [1, 2, 4] {
            let ending = finetune("r\(ranks)", kind, ranks: ranks)
            #expect(ending.code == 0, "\(ending.output)")
        }
        #expect(finetune("s4", kind + " --set objective.elr.store=sharded", ranks: 4).code == 0)
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
        let step = kind == Self.plus ? 126 : 63
        #expect(finetune("whole", kind).code == 0)
        let stopped = Program.shell(
            """
            $LACUNA finetune Recipes/elr-fcn2x256-digits-sym40-150ep.yaml --threads 1 --run \(folder)/part \
                --set schedule.kind=constant --set schedule.milestones_epochs=null --set schedule.gamma=null \
                --set schedule.epochs=3 --set evaluation=null --set log.every_updates=1 \
                --set checkpoint.every_epochs=1 \(kind) & job=$!
            for i in $(seq 1200); do
                [ "$(cat \(folder)/part/metrics.jsonl 2>/dev/null | wc -l)" -ge 30 ] && break; sleep 0.01
            done
            kill -USR1 $job; wait $job
            """)
        #expect([0, 75].contains(stopped.code), "\(stopped.output)")
        #expect(finetune("part", kind + " --resume").code == 0)
        for file in ["model.safetensors", "optimizer.safetensors", "objective.safetensors"] {
            let (one, other) = (bytes("whole", step: step, file), bytes("part", step: step, file))
            #expect(one != nil && one == other, "\(file)")
        }
    }

    @Test(
        .enabled(if: Program.hasLauncher, "mpirun is not installed"), arguments: [plain, plus],
        ["replicated", "sharded"])
    func `another number of ranks continues the same targets`(_ kind: String, _ store: String) throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let options = kind + " --set objective.elr.store=\(store)"
        let step = kind.isEmpty ? 63 : 126
        #expect(finetune("whole", options).code == 0)
        // Two epochs on four ranks, the last one on two.
        #expect(finetune("part", options, ranks: 4, epochs: 2).code == 0)
        let resumed = finetune("part", options + " --resume --allow-change schedule.epochs", ranks: 2)
        #expect(resumed.code == 0, "\(resumed.output)")
        expectNear(try targets("whole", step: step), try targets("part", step: step), store)
    }
}
