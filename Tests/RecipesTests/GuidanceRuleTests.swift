import Testing

import Objectives
import Recipes

/// Contradictions of a guidance section are refused with the recipe.
@Suite struct GuidanceRuleTests {
    private func errors(
        _ guidance: String, _ overrides: [String] = [], of recipe: String = "simmim-vit_micro-procedural"
    ) -> [String] {
        let arch =
            "guide_arch: {kind: vit, embed_dim: 24, depth: 2, num_heads: 2, patch_size: 4, drop_path_rate: 0, use_abs_pos_emb: true, "
            + "use_rel_pos_bias: false, use_shared_rel_pos_bias: false}, "
        return errors(["guidance={\(arch)\(guidance)}"] + overrides, of: recipe)
    }

    private func errors(_ overrides: [String], of recipe: String) -> [String] {
        do {
            _ = try Recipe.load(
                "Recipes/\(recipe).yaml", overrides: overrides, catalogue: Catalog.kinds, read: readFromDisk)
            return []
        } catch let error as RecipeError {
            return error.issues.map(\.description)
        } catch { return ["\(error)"] }
    }

    private static let sound = "guide_seed: 1, alpha: 0.5, reduction: mean, preset: cratemae_vit"

    @Test func `a sound section is accepted`() {
        #expect(errors(Self.sound) == [])
        #expect(errors(Self.sound.replacing("0.5", with: "1") + ", stop_step: 301, alpha_schedule: cosine") == [])
    }

    @Test(arguments: [
        ("guide_seed: 1", "guide_seed: 1, guide_checkpoint: runs/x", "guide_seed: guide_checkpoint is given too"),
        ("guide_seed: 1, ", "", "missing key 'guide_checkpoint' or 'guide_seed'"),
        ("alpha: 0.5", "alpha: 0", "guidance.alpha: more than 0 expected"),
        (
            "preset: cratemae_vit", "preset: cratemae_vit, form: pooled",
            "guidance.form: the preset 'cratemae_vit' sets it"
        ),
        (", preset: cratemae_vit", ", taps_target: [blocks], taps_guide: [blocks]", "missing key 'form', or a preset"),
        ("alpha: 0.5", "alpha: 0.5, alpha_schedule: cosine", "alpha_schedule: cosine falls to 0 at stop_step"),
        (
            "preset: cratemae_vit", "guide_view: full, taps_target: [blocks], taps_guide: [blocks], form: pooled",
            "guide_view: only a trained guide has more to say"
        ),
        ("alpha: 0.5", "alpha: 0.5, cka_batch: 100", "guidance.cka_batch: 100 does not divide the batch of 256"),
        ("alpha: 0.5", "alpha: 0.5, stop_step: 0", "guidance.stop_step: at least 1 expected, found 0"),
        ("preset: cratemae_vit", "preset: fcn_resnet", "guidance.form: samples or pooled expected, found flatten"),
        (
            "preset: cratemae_vit", "taps_target: [blocks.9], taps_guide: [blocks], form: pooled",
            "guidance.taps_target: reference, blocks, stages or one of"
        ),
        (
            "preset: cratemae_vit", "taps_target: [blocks], taps_guide: [stages], form: pooled",
            "guidance.taps_guide: reference, blocks, stages or one of"
        ),
        ("alpha: 0.5", "alpha: 0.5, alhpa: 1", "unknown key 'alhpa'; did you mean 'alpha'?"),
    ])
    func `a contradiction is refused at its key`(_ text: String, with change: String, message: String) {
        let found = errors(Self.sound.replacing(text, with: change))
        #expect(found.count == 1 && found[0].contains(message), "\(found)")
    }

    @Test func `a guide that does not fit the image or the positions is refused`() {
        let wrongPatch = errors(Self.sound, ["guidance.guide_arch.patch_size=5"])
        #expect(wrongPatch.contains { $0.contains("does not divide images.size 32") }, "\(wrongPatch)")
        let otherGrid = errors(Self.sound, ["guidance.guide_arch.patch_size=8"])
        #expect(otherGrid.count == 1 && otherGrid[0].contains("as many on both sides expected"), "\(otherGrid)")
        let accumulated = errors(Self.sound, ["batch.grad_accum_steps=4"])
        #expect(
            accumulated.contains { $0.contains("256 does not divide the 64 samples of a micro-batch") },
            "\(accumulated)")
        let kind = errors(Self.sound, ["guidance.guide_arch.kind=vti"])
        #expect(kind.contains { $0.contains("did you mean 'vit'?") }, "\(kind)")
    }

    @Test func `a guide of tokens reads what the target reads`() {
        let images = errors(Self.sound, of: "mtm-token_vit_micro-digits")
        #expect(images.count == 1 && images[0].contains("found an encoder of images"), "\(images)")
        let recipe = "mtm-token_vit_micro-by_token_vit-digits"
        #expect(errors([], of: recipe) == [])
        let vectors = errors(["guidance.guide_arch.input=vectors", "guidance.guide_arch.patch_size=2"], of: recipe)
        #expect(vectors.count == 1 && vectors[0].contains("input 'ids' expected, found input 'vectors'"), "\(vectors)")
        let noise = errors(["guidance.guide_input=noise"], of: recipe)
        #expect(noise.count == 1 && noise[0].contains("this recipe reads tokens"), "\(noise)")
        // The stem sees the dropped tokens too.
        let taps = ["guidance.preset=null", "guidance.form=samples", "guidance.taps_guide=[blocks.1]"]
        let stem = errors(taps + ["guidance.taps_target=[patch_embed.proj]"], of: recipe)
        #expect(stem.count == 1 && stem[0].contains("guidance.taps_target"), "\(stem)")
        #expect(errors(taps + ["guidance.taps_target=[blocks.0.mlp.fc1]"], of: recipe) == [])
    }
}
