import Testing

import Recipes

@Suite struct OpenPartsTests {
    /// Settings as a method declares them: no knowledge of recipes beyond `Decodable`.
    private struct Plain: RecipeSection {
        enum Norm: String, CaseIterable, Decodable { case layer, batch }
        struct Head: Decodable { let width: Int }
        let norm: Norm
        let heads: [Head]
        let share: Float?
    }

    private func section(_ text: String) throws -> Section {
        Section(kind: "mine", node: try YAMLReader.read(text) { .file("a.yaml", line: $0, column: $1) }, path: "model")
    }

    @Test func `plain settings decode with nested lists and choices`() throws {
        let plain = try section("kind: mine\nnorm: batch\nheads:\n  - width: 3\n  - {width: 4}\nshare: 1e-1\n")
            .decode(Plain.self)
        #expect(plain.norm == .batch)
        #expect(plain.heads.map(\.width) == [3, 4])
        #expect(plain.share == 0.1)
    }

    @Test func `every error of an open part is found in one run`() throws {
        let part = try section("kind: mine\nnorm: bacth\nheads:\n  - widht: 3\n  - width: x\nshrae: 1\n")
        let error = #expect(throws: RecipeError.self) { try part.decode(Plain.self) }
        #expect(
            error?.issues.map(\.description) == [
                "a.yaml:2: model.norm: one of layer, batch expected, found 'bacth'; did you mean 'batch'?",
                "a.yaml:4: model.heads[0]: unknown key 'widht'; did you mean 'width'?",
                "a.yaml:5: model.heads[1].width: a whole number expected, found 'x'",
                "a.yaml:6: model: unknown key 'shrae'; did you mean 'share'?",
            ])
    }

    @Test func `a catalogue brings its own kinds and rules`() {
        var catalogue = Catalogue.all
        catalogue.kinds["model"]?["mine"] = Catalogue.Kind(Plain.self) { plain, recipe, here in
            here.require(
                plain.heads.count > 1, at: "heads", reading: ["norm"], "2 heads or more for \(recipe.images.size) px")
        }
        let start = Recipe.starter.prefix { _ in true }
        let lines = start.split(separator: "\n", omittingEmptySubsequences: false)
        let model = lines.firstIndex(of: "model:") ?? 0
        let batch = lines.firstIndex(of: "batch:") ?? 0
        let own = ["model:", "  kind: mine", "  norm: layer", "  heads: [{width: 3}]"]
        let text = (lines[..<model].map(String.init) + own + lines[batch...].map(String.init)).joined(separator: "\n")
        let error = #expect(throws: RecipeError.self) { try load(["a.yaml": text], catalogue: catalogue) }
        #expect(error?.description == "a.yaml:36: model.heads: 2 heads or more for 32 px")
    }
}
