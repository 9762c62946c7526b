import Recipes
import Testing

/// What a tokenizer's recipe must not say of pixels and lengths.
@Suite struct TokenizerRuleTests {
    private func load(_ overrides: [String]) throws -> Recipe {
        try Recipe.load(
            "Recipes/tokenizer-vq_vit_micro-digits.yaml", overrides: overrides, catalogue: .all, read: readFromDisk)
    }

    @Test(arguments: [
        ("images.normalize.mean=[0.5, 0.5, 0.5]", "images.normalize: mean 0 and std 1 expected"),
        ("images.normalize.std=[1, 1, 0.5]", "images.normalize: mean 0 and std 1 expected"),
        ("schedule.updates=100", "objective.start_updates: 100 updates without quantisation leave none"),
    ])
    func `a contradiction is refused at its key`(override: String, message: String) {
        let error = #expect(throws: RecipeError.self) { try load([override]) }
        let found = error?.issues.map(\.description) ?? []
        #expect(found.count == 1 && found[0].contains(message), "\(found)")
    }

    @Test func `one update with quantisation is enough`() throws {
        #expect(try load(["schedule.updates=101"]).schedule.updates == 101)
    }
}
