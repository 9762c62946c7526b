import Testing

import Objectives
import Recipes

/// Gradient noise, label noise and early-learning regularisation in recipes: what contradicts is refused.
@Suite struct SharedComponentTests {
    private static let elr = "Recipes/elr-fcn2x256-digits-sym40-150ep.yaml"
    private static let plus = "objective.elr.plus={mixup_alpha: 1, ema_alpha: 0.9}"

    private func errors(_ path: String, _ changes: [String]) -> [String] {
        do {
            _ = try Recipe.load(path, overrides: changes, catalogue: .all, read: readFromDisk)
            return []
        } catch {
            return error.issues.map(\.description)
        }
    }

    @Test(arguments: [
        (["objective.loss=binary"], "objective.elr: targets are shares of all classes"),
        (["objective.elr.beta=1"], "objective.elr.beta: 0 to below 1 expected"),
        (["objective.elr.lambda=0"], "objective.elr.lambda: more than 0 expected"),
        (["objective.elr.store=shared"], "objective.elr.store: one of auto, replicated, sharded expected"),
        (["batch.aug_repeats=2"], "batch.aug_repeats: a sample must not come twice in a batch"),
        (["images.mix={mixup_alpha: 1, cutmix_alpha: 0}"], "images.mix: a target is of one image"),
        ([plus, "ema.decay=0.9"], "ema: ELR+ keeps averages of its own"),
        (
            [
                plus, "schedule.kind=constant", "schedule.milestones_epochs=null", "schedule.gamma=null",
                "schedule.epochs=null", "schedule.updates=100",
            ],
            "schedule.updates: the two networks take turns by epochs"
        ),
        (
            [plus, "objective.elr.plus.mixup_slice=24"],
            "objective.elr.plus.mixup_slice: 24 does not divide the 64 samples"
        ),
        ([plus, "objective.elr.plus.ema_alpha=1"], "objective.elr.plus.ema_alpha: 0 to below 1 expected"),
        (["data.label_noise.noise_rate=0"], "data.label_noise.noise_rate: above 0 to 1 expected"),
        (["data.label_noise.kind=asymmetric"], "data.label_noise: missing key 'flips' or 'blocks'"),
        (["data.label_noise.flips=[[1, 2]]"], "data.label_noise.flips: only label noise of kind 'asymmetric' has it"),
        (
            ["data.label_noise.kind=asymmetric", "data.label_noise.flips=[[1, 1]]"],
            "data.label_noise.flips: pairs of two different class numbers expected"
        ),
        (
            ["data.label_noise.asym_sequential=false"],
            "data.label_noise.asym_sequential: classes come one after the other"
        ),
        (
            ["data.label_noise={kind: asymmetric, blocks: 5, asym_sequential: false}"],
            "data.label_noise.asym_sequential: classes come one after the other"
        ),
        (["grad_noise.eta=0"], "grad_noise.eta: more than 0 expected"),
        (["grad_noise.rho=1"], "grad_noise.rho: only noise of mode 'relative' has it"),
        (["grad_noise={mode: relative, eta: 0.01}"], "grad_noise.eta: only noise of mode 'absolute' has it"),
        (
            [
                "schedule.kind=constant", "schedule.milestones_epochs=null", "schedule.gamma=null",
                "schedule.epochs=null", "schedule.updates=100", "grad_noise.start_step=100",
            ],
            "grad_noise.start_step: 100 is not before the end of the run, 100 updates"
        ),
        (["grad_noise={start_step: 5, stop_step: 5}"], "grad_noise.stop_step: 5 is not after start_step 5"),
        (["model.init=normal"], "model: missing key 'init_std' of the init 'normal'"),
        (["model.init_std=0.1"], "model.init_std: the init 'uniform' has none"),
        (["model.first_width=0"], "model.first_width: at least 1 expected"),
        (["model.dropout=1"], "model.dropout: 0 to below 1 expected"),
    ])
    func `a contradiction is refused once`(changes: [String], message: String) {
        let found = errors(Self.elr, changes)
        #expect(found.count == 1 && found.first?.contains(message) == true, "\(found)")
    }

    @Test func `ELR refuses tokens that are mixed, and ELR+ ids`() {
        let recipe = "Recipes/finetune-token_vit_micro-digits.yaml"
        let elr = ["objective.elr={beta: 0.7, lambda: 3}"]
        let mixed = errors(recipe, elr)
        #expect(
            mixed.count == 2 && mixed.contains { $0.contains("tokens.mix: a target is of one image") }, "\(mixed)")
        #expect(mixed.contains { $0.contains("tokens.adapt.mix: a target is of one image") }, "\(mixed)")
        let alone = elr + ["tokens.mix=null", "tokens.adapt.mix=null"]
        #expect(errors(recipe, alone) == [])
        let ids = errors(recipe, alone + [Self.plus])
        #expect(ids.count == 1 && ids.first?.contains("model.input: ELR+ blends what the model sees") == true, "\(ids)")
        #expect(errors("Recipes/seit-token_vit_micro-fashion_mnist-20ep.yaml", elr + [Self.plus]) == [])
    }

    @Test func `label noise belongs to recipes that learn from labels, gradient noise to any`() {
        let pretrain = "Recipes/simmim-vit_micro-digits.yaml"
        let found = errors(pretrain, ["data.label_noise={kind: symmetric, noise_rate: 0.4}"])
        #expect(
            found.count == 1 && found.first?.contains("only a recipe of kind 'finetune' has it") == true, "\(found)")
        #expect(errors(pretrain, ["grad_noise={mode: relative, rho: 0.3}"]) == [])
    }

    @Test func `the published classes are flipped where the recipe names none`() {
        #expect(errors("Recipes/elr-resnet34-cifar10-sym60-120ep.yaml", ["data.label_noise.kind=asymmetric"]) == [])
        // The classes of cifar10 are flipped one after the other unless the recipe says otherwise.
        let changes = ["data.label_noise={kind: asymmetric, asym_sequential: false}"]
        #expect(errors("Recipes/elr-resnet34-cifar10-sym60-120ep.yaml", changes) == [])
        #expect(
            errors("Recipes/elr-resnet34-cifar10-sym60-120ep.yaml", changes + ["data.train.kind=cifar100"]).count == 1)
    }
}
