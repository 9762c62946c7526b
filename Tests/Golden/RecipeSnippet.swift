import FoundationEssentials
import Objectives
import Optimizers
import Recipes

/// A recipe whose sections are those of `text`, and for the rest the one that `lacuna recipe new` writes: what a golden
/// test of a part decodes it from, so that it proves what a recipe runs.
func recipe(with text: String) throws -> Recipe {
    func blocks(_ text: String) -> [(key: Substring, lines: [Substring])] {
        text.split(separator: "\n").reduce(into: []) { blocks, line in
            if line.first == " " || line.first == "#" {
                if !blocks.isEmpty { blocks[blocks.count - 1].lines.append(line) }
            } else {
                blocks.append((line.prefix { $0 != ":" }, [line]))
            }
        }
    }
    let own = blocks(text)
    // A fixture without a clip has none, whatever the starter has.
    let others = blocks(Recipe.starter).filter { block in
        block.key != "clip" && !own.contains { $0.key == block.key }
    }
    let whole = (others + own).flatMap(\.lines).joined(separator: "\n") + "\n"
    return try Recipe.load("snippet.yaml", catalogue: Catalog.kinds) { _, _ in Array(whole.utf8) }
}

/// Keys of a section on one line; nil leaves a key away.
func section(_ name: String, _ keys: KeyValuePairs<String, Any?>) -> String {
    "\(name): {" + keys.compactMap { key, value in value.map { "\(key): \($0)" } }.joined(separator: ", ") + "}"
}

/// The update rule of a section `optimizer` without weight decay, which a test hands to each update.
func updateRule(_ keys: KeyValuePairs<String, Any?>) throws -> any UpdateRule {
    let text = section("optimizer", keys).replacing("{", with: "{weight_decay: 0, ", maxReplacements: 1)
    return try recipe(with: text).updateRule(Catalog.own.optimizers)
}

/// The learning rate over the run of a section `schedule`.
func schedule(_ clock: EpochClock, _ keys: KeyValuePairs<String, Any?>) throws -> any LearningRateSchedule {
    try recipe(with: section("schedule", keys)).learningRates(clock, Catalog.own.schedules)
}

/// A recipe that varies another one by some keys.
/// - Parameters:
///   - text: YAML, laid over the parent.
///   - parent: a shipped recipe; nil: the one that `lacuna recipe new` writes.
func variant(_ text: String, of parent: String? = nil) throws -> Recipe {
    let root = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }
    return try Recipe.load("snippet.yaml", catalogue: Catalog.kinds) { path, _ in
        if path == "snippet.yaml" { return Array("extends: parent.yaml\n\(text)\n".utf8) }
        guard let parent else { return Array(Recipe.starter.utf8) }
        return Array(FileManager.default.contents(atPath: "\(root)/Recipes/\(parent).yaml") ?? Data())
    }
}

/// A classifier of images with these keys in its `images` section.
func classifier(images: String) throws -> Recipe {
    try variant(
        """
        kind: finetune
        objective: {kind: classification, mask_ratio: null, mask_patch_size: null}
        images: {\(images)}
        """)
}
