import Foundation
import Testing

import Objectives
import Recipes

/// Recipes of schema 1: rewritten by `recipe upgrade`, refused where a user gives them, read where a run was saved.
@Suite struct UpgradeTests {
    private static let folder = "Tests/RecipesTests/Schema1"
    private static let fixtures: [String] = {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "\(package)/\(folder)")) ?? []
        return names.sorted()
    }()

    private func upgraded(_ texts: [String: String], _ path: String = "a.yaml") throws(RecipeError) -> String {
        try Recipe.upgraded(path) { path, limit in
            guard let text = texts[path] else { throw Missing() }
            return Array(text.utf8.prefix(limit))
        }.text
    }

    @Test(arguments: fixtures)
    func `a recipe of schema 1 becomes the one that is shipped`(name: String) throws {
        let old = try Recipe.upgraded("\(Self.folder)/\(name)", read: readFromDisk)
        #expect(!old.changes.isEmpty)
        func read(_ path: String, _ limit: Int) throws -> [UInt8] {
            guard path.hasPrefix(Self.folder) else { return try readFromDisk(path, limit) }
            return Array(try Recipe.upgraded(path, read: readFromDisk).text.utf8.prefix(limit))
        }
        let recipe = try Recipe.load("\(Self.folder)/\(name)", catalogue: .all, read: read)
        let shipped = try Recipe.load("Recipes/\(name)", catalogue: .all, read: readFromDisk)
        #expect(recipe.changes(from: shipped).filter { !["about", "reference"].contains($0.path) } == [])
    }

    @Test(arguments: shipped)
    func `a shipped recipe is up to date`(path: String) throws {
        let recipe = try Recipe.upgraded(path, read: readFromDisk)
        #expect(recipe.changes == [])
        #expect(Array(recipe.text.utf8) == (try readFromDisk(path, 1 << 20)))
    }

    @Test func `comments, order and layout stay`() throws {
        let old = """
            # first
            schema: 1  # of the keys
            images:
              # how much of an image
              crop: {minimum_area: 0.2, maximum_area: 1, 'minimum_ratio': 0.75, maximum_ratio: 1.5}  # a box
              flip: 0.5
            tokens:
              crop:
                minimum_area: 0.5   # half
            model: {kind: vit, width: 64, mean_pooling: true}

            """
        let new = """
            # first
            schema: 2  # of the keys
            images:
              # how much of an image
              random_resized_crop: {scale: [0.2, 1], 'ratio': [0.75, 1.5]}  # a box
              hflip: 0.5
            tokens:
              crop:
                scale: [0.5, 1]   # half
            model: {kind: vit, embed_dim: 64, global_pool: avg}

            """
        #expect(try upgraded(["a.yaml": old]) == new)
        #expect(try upgraded(["a.yaml": new]) == new)
    }

    @Test func `both numbers of a pair keep their comments`() throws {
        let old = "images:\n  erase:\n    maximum_area: 0.4  # most\n    mode: rand\n    minimum_area: 0.1  # least\n"
        let new = "images:\n  random_erasing:\n    scale: [0.1, 0.4]  # most\n    mode: rand\n    # least\n"
        #expect(try upgraded(["a.yaml": old]) == new)
    }

    @Test(arguments: ["minimum_area: 0.2\n    maximum_area: 0.9", "scale: [0.2, 0.9]"])
    func `a child takes the other number of a pair from its parent`(crop: String) throws {
        let texts = [
            "a.yaml": "extends: b.yaml\nimages:\n  crop:\n    minimum_area: 0.4\n",
            "b.yaml": "images:\n  \(crop.hasPrefix("scale") ? "random_resized_crop" : "crop"):\n    \(crop)\n",
        ]
        #expect(try upgraded(texts) == "extends: b.yaml\nimages:\n  random_resized_crop:\n    scale: [0.4, 0.9]\n")
    }

    @Test func `a child whose kind its parent names is read as of that kind`() throws {
        for (kind, key) in [("spark", "decoder_width"), ("mtm", "decoder_embed_dim")] {
            let texts = [
                "a.yaml": "extends: b.yaml\nobjective:\n  decoder_width: 8\n", "b.yaml": "objective: {kind: \(kind)}\n",
            ]
            #expect(try upgraded(texts) == "extends: b.yaml\nobjective:\n  \(key): 8\n")
        }
    }

    @Test func `half a pair without another half is refused at its line`() {
        let error = #expect(throws: RecipeError.self) {
            try upgraded(["a.yaml": "images: {crop: {minimum_ratio: 0.4}}\n"])
        }
        #expect(error?.description.hasPrefix("a.yaml:1: images.random_resized_crop.minimum_ratio: ") == true)
    }

    @Test func `a value that an alias repeats is rewritten once`() throws {
        let old = "data:\n  train: &set {kind: idx, path: x, part: train}\n  evaluation: *set\n"
        #expect(try upgraded(["a.yaml": old]) == old.replacing("part", with: "split"))
    }

    @Test func `a recipe of schema 1 is one error that says how to rewrite it`() {
        let found = errors(starter(("schema: 2", "schema: 1"), ("base_lr", "base_rate")))
        #expect(found == ["a.yaml:3: schema: schema 1 has other keys; run `lacuna recipe upgrade a.yaml`"])
    }

    @Test func `an old key is an error at its line that names the new one`() {
        #expect(
            errors(starter(("base_lr:", "base_rate:"))) == [
                "a.yaml:55: schedule: `base_rate` is called `base_lr` since schema 2"
            ])
        #expect(
            errors(Recipe.starter, overrides: ["clip.norm=3"]) == [
                "--set clip.norm: clip: `norm` is called `max_norm` since schema 2"
            ])
    }

    @Test func `what stands under an old section is looked at in the same run`() {
        let old =
            "  crop:\n    minimum_area: 0.67\n    maximum_area: 1\n    ratio: [1, 1]\n    interploation: bilinear\n"
        let text = starter(("  random_resized_crop:\n", old + "  gone:\n"))
        let found = errors(text)
        for part in [
            "`crop` is called `random_resized_crop`", "`minimum_area` is called `scale`", "'interploation'",
        ] {
            #expect(found.contains { $0.contains(part) }, "\(part) is not among \(found)")
        }
    }

    /// A recipe with the old key in a section of any kind that has the new one.
    @Test(arguments: Schema1.rules.indices)
    func `every old key is refused with its new name`(index: Int) {
        let rule = Schema1.rules[index]
        guard rule.old != rule.new else { return }
        for section in rule.sections {
            let kinds = Catalog.kinds.kinds.values.reduce(into: Set(Self.kinds)) { $0.formUnion($1.keys) }
            let key = "\(rule.old): 1"
            let layers = section.components(separatedBy: "[]").first { $0 != section }
            let texts =
                if let layers, let dot = layers.lastIndex(of: ".") {
                    // Items of lists of lists, in the one model that has them.
                    Self.kinds.map { kind in
                        let item = "{kind: \(kind), \(key)}"
                        let list = section.hasSuffix("[][]") ? "[[\(item)]]" : "[\(item)]"
                        return "\(layers[..<dot])={kind: convnet, \(layers[layers.index(after: dot)...]): \(list)}"
                    }
                } else {
                    ["\(section.isEmpty ? "" : section + ".")\(rule.old)=1"]
                        + ([""] + kinds.sorted()).map { kind in
                            "\(section)={\(kind.isEmpty ? "" : "kind: \(kind), ")\(key)}"
                        }
                }
            guard !Self.oldSections.contains(section) else { continue }
            #expect(
                texts.contains { errors(Recipe.starter, overrides: [$0]).contains { $0.contains(rule.text) } },
                "\(section): \(rule.old)")
        }
    }

    /// They are refused themselves.
    private static let oldSections = ["images.crop", "images.erase"]
    private static let kinds = ["conv", "avg_pool", "symmetric"]

    @Test func `a value of schema 1 is refused with its new name`() {
        let model = "model={kind: convnet, stem: [{kind: average_pool, kernel_size: 2}], stages: []}"
        let found = errors(Recipe.starter, overrides: [model])
        #expect(found.contains { $0.contains("`average_pool` is called `avg_pool` since schema 2") }, "\(found)")
    }

    @Test func `SimMIM keeps its late steps, other methods are told of theirs`() throws {
        let block = "schedule:\n  kind: multistep  # steps\n  base_rate: 1\n"
        #expect(
            try upgraded(["a.yaml": "objective: {kind: simmim}\n" + block])
                == "objective: {kind: simmim}\nschedule:\n  kind: multistep  # steps\n  form: simmim\n  base_lr: 1\n")
        let flow = "extends: b.yaml\nschedule: {kind: step, base_rate: 1}\n"
        #expect(
            try upgraded(["a.yaml": flow, "b.yaml": "objective:\n  kind: simmim\n"])
                == "extends: b.yaml\nschedule: {kind: step, form: simmim, base_lr: 1}\n")
        let other = try Recipe.upgraded("a.yaml") { _, _ in Array(("objective: {kind: spark}\n" + block).utf8) }
        #expect(!other.text.contains("form"))
        #expect(other.changes.contains { $0.hasPrefix("a.yaml:3: schedule: steps come with an epoch's first update") })
        #expect(try upgraded(["a.yaml": other.text]) == other.text)
    }

    @Test func `of two keys with one new name the null goes`() throws {
        let old = "model:\n  kind: fcn\n  channels: null\n  grey: false\n  pooling: null\n  mean_pooling: null\n"
        let new = "model:\n  kind: fcn\n  channels: 3\n  global_pool: null\n"
        #expect(try upgraded(["a.yaml": old]) == new)
    }

    @Test func `braces over several lines and other line ends are kept`() throws {
        let old = "images:\r\n  crop: {minimum_area: 0.2,\r\n    maximum_area: 1,\r\n    interpolation: bilinear}\r\n"
        let new =
            "images:\r\n  random_resized_crop: {scale: [0.2, 1],\r\n    \r\n    interpolation: bilinear}\r\n"
        #expect(try upgraded(["a.yaml": old]) == new)
    }

    @Test(arguments: fixtures.filter { !$0.contains("asym") && !$0.contains("convnext_base") })
    func `a saved recipe of schema 1 is the same with the keys of today`(name: String) throws {
        let path = "\(Self.folder)/\(name)"
        let saved = try Recipe.load(path, isSaved: true, catalogue: .all, read: readFromDisk)
        let upgraded = try Recipe.upgraded(path, read: readFromDisk).text
        let recipe = try Recipe.load(path, catalogue: .all) { _, _ in Array(upgraded.utf8) }
        // A run that goes on steps as it did.
        #expect(recipe.changes(from: saved).filter { $0.path != "schedule.form" } == [])
        #expect(saved.schema == 2)
    }
}
