import Foundation
import Testing

/// `checkpoint export`, `import` and `show` as a user calls them.
@Suite(.serialized) struct ExchangeTests {
    @Test func `an exported model comes back, and a wrong recipe ends with 65 and writes nothing`() throws {
        let bench = try Bench(updates: 2, every: 2)
        #expect(bench.train().code == 0)
        let file = bench.folder + "/timm/model.safetensors"
        let export = Program.shell("$LACUNA checkpoint export \(bench.folder)/run --for timm --output \(file)")
        #expect(export.code == 0 && export.output.contains("beit_base_patch16_224 of timm"), "\(export.output)")
        #expect(bench.exists("timm/config.json"))

        let show = Program.shell("$LACUNA checkpoint show \(file)")
        #expect(show.code == 0 && show.output.contains("architecture"), "\(show.output)")
        #expect(show.output.contains("patch_embed.proj.weight"), "\(show.output)")

        func receive(_ words: String, into run: String) -> Ending {
            Program.shell(
                "$LACUNA checkpoint import \(file) --recipe \(bench.recipe) --output \(bench.folder)/\(run) \(words)")
        }
        let whole = receive("", into: "whole")
        #expect(whole.code == 0 && whole.output.contains("features differ by"), "\(whole.output)")
        #expect(bench.exists("whole/checkpoints/step-00000002/model.safetensors"))
        let again = receive("", into: "whole")
        #expect(again.code == 64 && again.output.contains("a run with checkpoints"), "\(again.output)")

        let wrong = receive("--set model.depth=5", into: "wrong")
        #expect(wrong.code == 65, "\(wrong.output)")
        #expect(wrong.output.contains("encoder.blocks.4.norm1.weight") && wrong.output.contains("Look at model.depth"))
        #expect(!bench.exists("wrong"))
        let partial = receive("--set model.depth=5 --allow-partial", into: "wrong")
        #expect(partial.code == 0 && bench.exists("wrong/checkpoints"), "\(partial.output)")
        let image = Program.shell("$LACUNA reconstruct \(bench.folder)/whole --count 2 --images 20")
        #expect(image.code == 0 && image.output.contains("masked L1"), "\(image.output)")
    }

    @Test func `a file that is no safetensors file ends with 74`() throws {
        let bench = try Bench(updates: 1)
        let ending = Program.shell(
            "$LACUNA checkpoint import \(bench.recipe) --recipe \(bench.recipe) --output \(bench.folder)/run")
        #expect(ending.code == 74, "\(ending.output)")
    }
}
