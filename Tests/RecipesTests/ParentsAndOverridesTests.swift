import Objectives
import Testing

import Recipes

@Suite struct ParentsAndOverridesTests {
    @Test func `a child changes what it names and inherits the rest`() throws {
        let child = "extends: base/a.yaml\nschedule:\n  epochs: 50\nimages:\n  normalize:\n    mean: [0.1, 0.2, 0.3]\n"
        let recipe = try load(["b.yaml": child, "base/a.yaml": Recipe.starter], "b.yaml")
        #expect(recipe.schedule.epochs == 50)
        #expect(recipe.schedule.baseLR == 1e-3)
        #expect(recipe.images.normalize.mean == [0.1, 0.2, 0.3])
        #expect(recipe.images.normalize.std == [0.25, 0.25, 0.25])
    }

    @Test func `null in a child takes an inherited section away`() throws {
        let recipe = try load(["b.yaml": "extends: a.yaml\nclip: null\n", "a.yaml": Recipe.starter], "b.yaml")
        #expect(!recipe.has("clip"))
    }

    @Test func `errors name the file of each value`() {
        let texts = [
            "b.yaml": "extends: a.yaml\nclip:\n  max_norm: five\n", "a.yaml": starter(("schema: 2", "schema: one")),
        ]
        let error = #expect(throws: RecipeError.self) { try load(texts, "b.yaml") }
        #expect(error?.description.contains("a.yaml:3: schema: a whole number expected") == true)
        #expect(error?.description.contains("b.yaml:3: clip.max_norm: a number expected") == true)
    }

    @Test(arguments: [
        ["a.yaml": "extends: a.yaml\n"], ["a.yaml": "extends: ./b.yaml\n", "b.yaml": "extends: x/../a.yaml\n"],
        ["a.yaml": "extends: b.yaml\n", "b.yaml": "extends: c.yaml\n", "c.yaml": "extends: b.yaml\n"],
    ])
    func `a circle of parents is refused at the line that closes it`(texts: [String: String]) {
        let error = #expect(throws: RecipeError.self) { try load(texts) }
        #expect(error?.issues.count == 1)
        #expect(error?.description.contains("yaml:1: extends: the recipes extend each other in a circle") == true)
    }

    @Test(arguments: ["extends: [a.yaml, b.yaml]", "extends: null", "extends: gone.yaml", "extends: {a: 1}"])
    func `one parent that exists is expected`(line: String) {
        let found = errors("# first\n\(line)\n")
        #expect(found.count == 1)
        #expect(found.first?.hasPrefix("a.yaml:2: extends: ") == true)
    }

    @Test func `an override goes through the same decoder`() throws {
        let overrides = [
            "schedule.epochs=7", "schedule.warmup_epochs=2", "images.normalize.mean=[0, 0, 0]", "ema.decay=0.999",
            "clip=null", "about=a: b",
        ].dropLast()
        let recipe = try load(Recipe.starter, overrides: Array(overrides))
        #expect(recipe.schedule.epochs == 7)
        #expect(recipe.images.normalize.mean == [0, 0, 0])
        #expect(recipe.settings(of: EMA.self)?.decay == 0.999)
        #expect(!recipe.has("clip"))
    }

    @Test(arguments: [
        ("schedule.epochs=no", "--set schedule.epochs: a whole number expected, found 'no'"),
        ("schedule.epohcs=5", "--set schedule.epohcs: schedule: unknown key 'epohcs'; did you mean 'epochs'?"),
        ("shedule.epochs=5", "--set shedule.epochs: unknown key 'shedule'; did you mean 'schedule'?"),
        ("model.drop_path_rate=2", "--set model.drop_path_rate: 0 to below 1 expected"),
        ("seed.x=1", "--set seed.x: seed: a whole number, 0 or more expected, found a section"),
        ("clip.max_norm=[1", "--set clip.max_norm: not YAML"),
        ("clip.max_norm=!!int 1", "--set clip.max_norm: the tag"),
        ("clip.max_norm", "--set clip.max_norm: key=value expected"), ("=5", "--set =5: key=value expected"),
        ("clip.max_norm=", "--set clip.max_norm: the text is empty"),
    ])
    func `an override that does not fit is named as such`(override: String, message: String) {
        let found = errors(Recipe.starter, overrides: [override])
        #expect(found.contains { $0.hasPrefix(message) }, "\(found)")
        #expect(found.count == 1, "\(found)")
    }
}
