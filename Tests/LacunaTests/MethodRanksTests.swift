import Foundation
import Testing

/// Every method with the program: on several ranks, and after an interruption.
@Suite(.serialized) struct MethodRanksTests {
    /// A recipe of the project, cut short.
    struct Method: Sendable, CustomTestStringConvertible {
        let verb, recipe: String
        var changes: [String] = []

        var testDescription: String { ([verb, recipe] + changes).joined(separator: " ") }

        /// As words for a shell.
        func command(_ bench: Bench, run: String, updates: Int, _ options: String = "") -> String {
            var changes = [
                "schedule.epochs=null", "schedule.warmup_epochs=null", "schedule.warmup_updates=5",
                "schedule.updates=\(updates)", "log.every_updates=1",
                "checkpoint={every_updates: 5, every_epochs: null, keep_last: 2}",
            ]
            changes += (verb == "finetune" ? ["evaluation=null"] : []) + self.changes
            return "$LACUNA \(verb) Recipes/\(recipe).yaml --threads 1 --run \(bench.folder)/\(run) "
                + changes.map { "--set '\($0)'" }.joined(separator: " ") + " " + options
        }
    }

    private static let arch =
        "{kind: vit, embed_dim: 32, depth: 2, num_heads: 2, patch_size: 4, drop_path_rate: 0, use_abs_pos_emb: true, "
        + "use_rel_pos_bias: false, use_shared_rel_pos_bias: false}"
    private static let guidance = "guidance={guide_arch: \(arch), guide_seed: 5, alpha: 1, reduction: sum, "
    private static let swin =
        "model={kind: swin, preset: null, init_values: null, use_rel_pos_bias: null, "
        + "use_shared_rel_pos_bias: null, embed_dim: 16, depths: [2, 2], num_heads: [1, 2], patch_size: 2, window_size: 4, "
        + "drop_path_rate: 0.1, "
        + "use_abs_pos_emb: false}"

    /// At its own rate SparK's batch norms and LAMB make a thousand times as much of a difference in the last bit within
    /// 25 updates.
    static let methods = [
        Method(verb: "pretrain", recipe: "crate_mae-micro-procedural", changes: ["batch.global=16"]),
        Method(
            verb: "pretrain", recipe: "spark-small16-procedural",
            changes: [
                "batch.global=32", "schedule.base_lr=4e-4", "schedule.warmup_lr=2e-6", "schedule.min_lr=4e-7",
            ]),
        Method(
            verb: "pretrain", recipe: "simmim-vit_micro-procedural",
            changes: ["batch.global=16", "objective.mask_patch_size=8", swin]),
        Method(
            verb: "finetune", recipe: "finetune-vit_micro-digits",
            changes: ["batch.global=16", "model.drop_path_rate=0.1", "ema.decay=0.9"]),
    ]

    /// The last form has more features than samples: whole rows travel.
    static let guided = [
        Method(
            verb: "pretrain", recipe: "simmim-vit_micro-digits",
            changes: [guidance + "taps_target: [blocks], taps_guide: [blocks], form: samples}"]),
        Method(verb: "finetune", recipe: "finetune-vit_micro-digits", changes: [guidance + "preset: fcn_resnet}"]),
    ]

    /// Noise about half as long as what clipping leaves of the gradient.
    static let noisy = [
        Method(
            verb: "pretrain", recipe: "simmim-vit_micro-digits",
            changes: ["clip.max_norm=0.1", "grad_noise={eta: 1e-8, gamma: 0.55}"])
    ]

    @Test(.enabled(if: Program.hasLauncher, "mpirun is not installed"), arguments: methods + guided + noisy)
    func `one, two and four ranks see the same losses within 1e-5 over 50 steps`(_ method: Method) throws {
        let bench = try Bench()
        var lines: [Int: [[String: Double]]] = [:]
        for ranks in [1, 2, 4] {
            let command = method.command(bench, run: "ranks-\(ranks)", updates: 50)
            let ending = Program.shell(ranks == 1 ? command : Program.mpirun(ranks) + " " + command)
            #expect(ending.code == 0, "\(ending.output)")
            lines[ranks] = bench.metrics(run: "ranks-\(ranks)").filter { $0["loss"] != nil && $0["lr"] != nil }
        }
        let alone = try #require(lines[1])
        let first = try #require(alone.first)
        // A distance is a sum of 1 - CKA, which cancels where a pair is alike: 1e-7 of 1 is 1e-5 of a distance of 0.01.
        // The CKA of each pair is what the ranks must agree on, ten times closer than on a loss.
        let keys = ["loss"] + first.keys.filter { $0.hasPrefix("cka/") }.sorted()
        #expect((first["guidance"] != nil) == (keys.count > 1))
        #expect(alone.count == 50 && first["loss"] ?? 0 > 0)
        for ranks in [2, 4] {
            let others = try #require(lines[ranks])
            for key in keys {
                let largest =
                    zip(alone, others).map { one, other in
                        abs((one[key] ?? .nan) - (other[key] ?? .nan)) / abs(one[key] ?? .nan)
                    }.max { $0 < $1 || $1.isNaN } ?? .infinity
                print("\(ranks) ranks, \(method.recipe): \(key) differs by at most \(largest), relative")
                #expect(largest <= (key == "loss" ? 1e-5 : 1e-6) && others.count == 50)
            }
        }
    }

    @Test(arguments: methods + guided + noisy)
    func `a run that was killed goes on with the same bytes`(_ method: Method) throws {
        let bench = try Bench()
        let whole = Program.shell(method.command(bench, run: "whole", updates: 15))
        #expect(whole.code == 0, "\(whole.output)")
        let killed = bench.during(
            method.command(bench, run: "parts", updates: 15), run: "parts", steps: 8, "kill -9 $job")
        #expect(killed.code != 0)
        let resumed = Program.shell(method.command(bench, run: "parts", updates: 15, "--resume"))
        #expect(resumed.code == 0 && resumed.output.contains("resumed after update"), "\(resumed.output)")
        bench.expectSameBytes("parts", "whole", step: 15)
    }
}
