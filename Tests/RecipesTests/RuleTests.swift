import Testing

import Recipes

@Suite struct RuleTests {
    @Test(arguments: [
        ("mask_patch_size: 8 ", "mask_patch_size: 12 ", "objective.mask_patch_size: 12 does not divide images.size 32"),
        (
            "mask_patch_size: 8 ", "mask_patch_size: 2 ",
            "objective.mask_patch_size: 2 is no multiple of model.patch_size 4"
        ),
        ("mask_ratio: 0.6 ", "mask_ratio: 0 ", "objective.mask_ratio: between 0 and 1 expected, found 0.0"),
        ("mask_ratio: 0.6 ", "mask_ratio: 1 ", "objective.mask_ratio: between 0 and 1 expected, found 1.0"),
        ("mask_ratio: 0.6 ", "mask_ratio: 0.99 ", "objective.mask_ratio: 0.99 hides all 16 cells of the image"),
        ("warmup_epochs: 1", "warmup_epochs: 9", "schedule.warmup_epochs: 9 is more than the run's 5 epochs"),
        (
            "global: 256 ", "grad_accum_steps: 3\n  global: 256 ",
            "batch.grad_accum_steps: 256 samples do not divide into 3"
        ),
        ("epochs: 5\n", "epochs: 5\n  updates: 50\n", "schedule.updates: epochs is given too; keep one"),
        ("  epochs: 5\n", "", "schedule: missing key 'epochs' or 'updates'"),
        ("warmup_epochs: 1\n", "warmup_epochs: 1\n  warmup_updates: 7\n", "schedule.warmup_updates: warmup_epochs is"),
        ("  warmup_lr: 1e-6\n", "", "schedule.warmup_epochs: missing key 'warmup_lr'"),
        ("  warmup_epochs: 1\n", "", "schedule.warmup_lr: missing key 'warmup_epochs'"),
        ("min_lr: 1e-5", "min_lr: 1", "schedule.min_lr: 1.0 is more than base_lr 0.001"),
        ("preset: micro ", "preset: micro\n  embed_dim: 64 ", "model.embed_dim: the preset 'micro' sets it; keep one"),
        (
            "  preset: micro ", "  embed_dim: 64\n  depth: 2\n  num_heads: 3 ",
            "model.num_heads: 3 heads do not divide the embed_dim 64"
        ),
        ("  preset: micro ", "  embed_dim: 64\n  depth: 2 ", "model: missing key 'num_heads', or a preset"),
        ("scale: [0.67, 1]", "scale: [1.5, 1]", "images.random_resized_crop.scale: two numbers above 0, at most 1"),
        ("ratio: [0.75, ", "ratio: [0.75, 1, ", "images.random_resized_crop.ratio: two numbers above 0 expected"),
        ("[0.9, 0.999]", "[0.9, 1]", "optimizer.betas: numbers from 0 to below 1 expected"),
        ("[0.25, 0.25, 0.25]", "[0.25, 0.25]", "images.normalize.std: 3 numbers expected, found 2"),
        ("schema: 2", "schema: 3", "schema: schema 2 expected, found 3"),
        ("prefetch_batches: 3", "prefetch_batches: 1", "loader.prefetch_batches: at least 2 expected"),
    ])
    func `a contradiction is refused once at its line`(text: String, with change: String, message: String) throws {
        let found = errors(starter((text, change)))
        #expect(found.count == 1, "\(found)")
        let first = try #require(found.first)
        #expect(first.contains(": \(message)"), "\(first)")
    }

    @Test(arguments: [[], [3, 9], [4, 2], [0]])
    func `milestones rise inside the run`(milestones: [Int]) {
        let text = starter(
            ("kind: cosine", "kind: multistep"),
            ("min_lr: 1e-5", "milestones_epochs: \(milestones)\n  gamma: 0.1"))
        #expect(errors(text).contains { $0.contains("schedule.milestones_epochs: ") })
    }

    @Test(arguments: [
        ("tokens.codebook_size=5;tokens.edit={synonyms: 0.25, swap: 0.25}", "6 or more expected, found 5"),
        ("tokens.codebook_size=16777216", "2 to 16777215 expected"),
    ])
    func `a model of tokens is refused codes that it cannot tell apart`(changes: String, message: String) throws {
        try expectOne(message, changes, of: "mtm-token_vit_micro-digits")
    }

    /// 1,001 levels give values of a level that does not exist, and a product of many leaves the range of integers.
    @Test(arguments: [
        ("[1001, 8]", "numbers from 2 to 1000 expected"), ("[512, 512, 64]", "codes expected, found 16777216.0"),
        ("[1000, 1000, 1000, 1000, 1000, 1000, 1000]", "codes expected, found 1e+21"),
    ])
    func `a tokenizer is refused levels that ids cannot number`(levels: String, message: String) throws {
        try expectOne(
            message,
            "objective.quantizer=fsq;objective.codebook_size=null;objective.code_dim=null;objective.levels=\(levels)",
            of: "tokenizer-vq_vit_micro-digits")
    }

    /// - Parameter changes: of a shipped recipe, with semicolons between them.
    private func expectOne(_ message: String, _ changes: String, of recipe: String) throws {
        let text = String(decoding: try readFromDisk("Recipes/\(recipe).yaml", 1 << 20), as: UTF8.self)
        let found = errors(text, overrides: changes.split(separator: ";").map(String.init))
        #expect(found.count == 1 && found[0].contains(message), "\(found)")
    }

    @Test func `all contradictions are found in one run`() {
        let text = starter(
            ("patch_size: 4 ", "patch_size: 5 "), ("mask_patch_size: 8 ", "mask_patch_size: 12 "),
            ("mask_ratio: 0.6", "mask_ratio: 1"),
            ("warmup_epochs: 1", "warmup_epochs: 9"), ("global: 256 ", "grad_accum_steps: 3\n  global: 256 "),
            ("epochs: 5\n", "epochs: 5\n  updates: 50\n"), ("max_norm: 5", "max_norm: five"), ("loader:", "lodaer:"),
            ("flip: 0.5", "flip: 1.5"), ("[0.9, 0.999]", "[0.9, no]"), ("min_lr: 1e-5", "min_lr: 1"))
        let found = errors(text)
        for path in [
            "model.patch_size: 5 does not divide", "objective.mask_patch_size: 12 does not divide",
            "objective.mask_patch_size: 12 is no multiple", "objective.mask_ratio: between",
            "schedule.warmup_epochs: 9 is more",
            "batch.grad_accum_steps: 256", "schedule.updates: epochs", "clip.max_norm: a number",
            "unknown key 'lodaer'",
            "images.hflip: a probability", "optimizer.betas[1]: a number", "schedule.min_lr: 1.0 is more",
        ] {
            #expect(found.contains { $0.contains(path) }, "\(path) is not among \(found)")
        }
        #expect(found.count == 12, "\(found)")
    }

    @Test func `errors come in the order of the lines`() {
        let found = errors(
            starter(("max_norm: 5", "max_norm: five"), ("schema: 2", "schema: one"), ("seed: 0 ", "seed: -1 ")))
        let lines = found.compactMap { $0.split(separator: ":").dropFirst().first.flatMap { Int($0) } }
        #expect(lines.count == 3)
        #expect(lines == lines.sorted())
    }

    @Test func `an absent section is a feature switched off`() throws {
        let recipe = try load(
            starter(("clip:\n  max_norm: 5\n", ""), ("checkpoint:\n  every_epochs: 1\n  keep_last: 2\n", "")))
        #expect(!recipe.has("clip"))
        #expect(recipe.checkpoint == nil)
        #expect(recipe.limits == nil)
    }

    @Test func `an absurd size is refused without reckoning with it`() {
        let found = errors(
            starter(("size: 32  #", "size: 4000000000000000000  #"), ("patch_size: 4 ", "patch_size: 0 ")))
        #expect(found.count == 2, "\(found)")
    }
}
