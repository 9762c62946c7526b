import Testing

import Recipes

@Suite struct ResolvedTests {
    @Test func `the resolved recipe shows where each value comes from`() throws {
        let texts = ["b.yaml": "extends: a.yaml\nclip:\n  max_norm: 3\n", "a.yaml": Recipe.starter]
        let lines = try load(texts, "b.yaml", overrides: ["seed=9"]).text(showingOrigins: true).split(separator: "\n")
        func origin(_ text: String) -> Substring? {
            lines.first { $0.contains(text) }.flatMap { $0.split(separator: "# ").last }
        }
        #expect(origin("max_norm: 3") == "b.yaml:3")
        #expect(origin("seed: 9") == "--set seed")
        #expect(origin("grad_accum_steps: 1") == "default")
        #expect(origin("mask_ratio: 0.6") == "a.yaml:30")
    }

    @Test(arguments: shipped)
    func `the resolved text reads back to the same recipe`(path: String) throws {
        let recipe = try Recipe.load(
            path, overrides: ["about=\"say: 'x' # \\\"y\\\"\\n-\""], catalogue: .all, read: readFromDisk)
        for origins in [true, false] {
            let again = try load(recipe.text(showingOrigins: origins))
            #expect(again.about == "say: 'x' # \"y\"\n-")
            #expect(again.changes(from: recipe) == [])
            #expect(again.keys == recipe.keys)
        }
    }

    @Test func `a changed log interval is safe and a changed rate is not`() throws {
        let old = try load(Recipe.starter)
        let new = try load(starter(("every_updates: 20", "every_updates: 5"), ("base_lr: 1e-3", "base_lr: 2e-3")))
        let changes = new.changes(from: old)
        #expect(changes.map(\.path) == ["schedule.base_lr", "log.every_updates"])
        #expect(changes.map(\.isSafe) == [false, true])
        #expect(changes.first?.description == "a.yaml:55: schedule.base_lr: 1e-3 -> 2e-3")
    }

    @Test func `a section that came or went is a change`() throws {
        let changes = try load(starter(("clip:\n  max_norm: 5\n", ""))).changes(from: try load(Recipe.starter))
        #expect(changes.map(\.description) == ["clip.max_norm: 5 -> absent"])
    }

    @Test func `the spelling of a number is no change`() throws {
        let old = try load(Recipe.starter)
        let new = try load(starter(("base_lr: 1e-3", "base_lr: 0.0010"), ("max_norm: 5", "max_norm: 5.0")))
        #expect(new.changes(from: old) == [])
        #expect(new.keys == old.keys)
    }
}
