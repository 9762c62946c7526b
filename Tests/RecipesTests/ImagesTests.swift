import Recipes
import Testing

@Suite struct ImagesTests {
    private let flip = "  hflip: 0.5  # probability\n"

    private func recipe(_ keys: String) -> String { starter((flip, flip + keys)) }

    /// The same for a classifier.
    private func classifier(_ keys: String) -> String {
        let simMIM = """
              kind: simmim
              mask_ratio: 0.6  # share of the cells that are masked
              mask_patch_size: 8  # side of a cell, pixels

            """
        return starter(
            (flip, flip + keys), ("kind: pretrain", "kind: finetune"), (simMIM, "  kind: classification\n"))
    }

    @Test(arguments: [
        "  policy:\n    kind: rand_augment\n    config: rand-m9-mstd0.5-inc1\n    interpolation: bicubic\n    fill: [124, 116, 104]\n",
        "  policy:\n    kind: trivial_augment\n    interpolation: nearest\n    fill: [0, 0, 0]\n",
        "  policy:\n    kind: three_augment\n  color_jitter: 0.3\n",
        "  random_erasing:\n    probability: 0.25\n    mode: pixel\n",
        "  evaluation:\n    crop_pct: 0.875\n    interpolation: bicubic\n",
    ])
    func `augmentations are read`(_ keys: String) { #expect(errors(recipe(keys)) == []) }

    @Test(arguments: [
        (
            "  policy:\n    kind: rand_augment\n    config: rand-q9\n    interpolation: bicubic\n    fill: [1, 2, 3]\n",
            "'q9'"
        ),
        ("  policy:\n    kind: trivial_augment\n    interpolation: nearest\n    fill: [0, 0]\n", "images.policy.fill"),
        (
            "  policy:\n    kind: trivial_augment\n    interpolation: nearest\n    fill: [0, 0, 0]\n  color_jitter: 0.4\n",
            "images.color_jitter"
        ),
        ("  random_erasing:\n    probability: 1.5\n    mode: pixel\n", "images.random_erasing.probability"),
        ("  random_crop:\n    padding: 4\n    interpolation: bilinear\n", "images.random_crop"),
        ("  mix:\n    mixup_alpha: 0.8\n    cutmix_alpha: 1\n", "images.mix"),
    ])
    func `contradictions are refused with their place`(_ keys: String, _ place: String) {
        let found = errors(recipe(keys))
        #expect(found.count == 1 && found.first?.contains(place) == true, "\(found)")
        #expect(found.first?.hasPrefix("a.yaml:") == true)
    }

    @Test func `mixing wants an even batch`() {
        let mix = "  mix:\n    mixup_alpha: 0.8\n    cutmix_alpha: 1\n"
        #expect(errors(classifier(mix)) == [])
        let odd = errors(classifier(mix).replacing("global: 256", with: "global: 255"))
        #expect(odd.count == 1 && odd.first?.contains("batch.global") == true, "\(odd)")
        #expect(
            errors(
                classifier(mix + "    partner: mirror\n").replacing("global: 256", with: "global: 255"))
                == [])
    }
}
