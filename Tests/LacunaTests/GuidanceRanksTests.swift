import Foundation
import Testing

private let obstacle: Comment = "mpirun is not installed"

/// Guided runs of the program on several ranks.
@Suite(.serialized, .enabled(if: Program.hasLauncher, obstacle)) struct GuidanceRanksTests {
    private static let arch =
        "{kind: vit, width: 32, depth: 2, heads: 2, patch: 4, drop_path: 0, absolute_positions: true, "
        + "relative_positions: false, shared_relative_positions: false}"

    /// The second form has more features than samples: whole rows travel.
    @Test(arguments: [
        ("pretrain", "simmim-vit_micro-digits", "taps_target: [blocks], taps_guide: [blocks], form: samples"),
        ("finetune", "finetune-vit_micro-digits", "preset: fcn_resnet"),
    ])
    func `one, two and four ranks see the same losses and distances within 1e-5 over 50 steps`(
        verb: String, recipe: String, form: String
    ) throws {
        let bench = try Bench()
        let guidance = "guidance={guide_arch: \(Self.arch), guide_seed: 5, alpha: 1, reduction: sum, \(form)}"
        var changes = [
            "schedule.epochs=null", "schedule.warmup_epochs=null", "schedule.warmup_updates=5", "schedule.updates=50",
            "log.every_updates=1", "checkpoint=null", guidance,
        ]
        if verb == "finetune" { changes.append("evaluation=null") }
        let options = changes.map { "--set '\($0)'" }.joined(separator: " ")
        var lines: [Int: [[String: Double]]] = [:]
        for ranks in [1, 2, 4] {
            let command =
                "$LACUNA \(verb) Recipes/\(recipe).yaml --threads 1 --run \(bench.folder)/ranks-\(ranks) \(options)"
            let ending = Program.shell(ranks == 1 ? command : Program.mpirun(ranks) + " " + command)
            #expect(ending.code == 0, "\(ending.output)")
            lines[ranks] = bench.metrics(run: "ranks-\(ranks)").filter { $0["loss"] != nil && $0["lr"] != nil }
        }
        let alone = try #require(lines[1])
        #expect(alone.count == 50 && alone[0]["guidance"] ?? 0 > 0)
        for ranks in [2, 4] {
            let others = try #require(lines[ranks])
            for key in ["loss", "guidance"] {
                let largest =
                    zip(alone, others).map { one, other in
                        abs((one[key] ?? .nan) - (other[key] ?? .nan)) / abs(one[key] ?? .nan)
                    }.max { $0 < $1 || $1.isNaN } ?? .infinity
                print("\(ranks) ranks, \(verb): \(key) differs by at most \(largest), relative, over 50 steps")
                #expect(largest <= 1e-5 && others.count == 50)
            }
        }
    }
}
