import FoundationEssentials
import Testing

import Objectives
import Recipes

/// The folder of the package, three levels above this file.
let package = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }

/// Every shipped recipe, as a path relative to the package.
let shipped: [String] = {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "\(package)/Recipes")) ?? []
    return names.filter { $0.hasSuffix(".yaml") }.sorted().map { "Recipes/\($0)" }
}()

func readFromDisk(_ path: String, _ limit: Int) throws -> [UInt8] {
    guard let bytes = FileManager.default.contents(atPath: "\(package)/\(path)") else { throw Missing() }
    return Array(bytes.prefix(limit))
}

struct Missing: Error, CustomStringConvertible {
    var description: String { "no such file" }
}

/// Loads a recipe out of named texts.
func load(
    _ texts: [String: String], _ path: String = "a.yaml", overrides: [String] = [], catalogue: Catalogue = .all
) throws(RecipeError) -> Recipe {
    try Recipe.load(path, overrides: overrides, catalogue: catalogue) { path, limit in
        guard let text = texts[path] else { throw Missing() }
        return Array(text.utf8.prefix(limit))
    }
}

func load(_ text: String, overrides: [String] = []) throws(RecipeError) -> Recipe {
    try load(["a.yaml": text], overrides: overrides)
}

/// The starter with some texts replaced; each must be there once at least.
func starter(_ changes: (String, String)...) -> String {
    changes.reduce(Recipe.starter) { text, change in
        precondition(text.contains(change.0), "the starter has no '\(change.0)'")
        return text.replacing(change.0, with: change.1)
    }
}

/// The errors of a text, one a line; empty if it is accepted.
func errors(_ text: String, overrides: [String] = []) -> [String] {
    do {
        _ = try load(text, overrides: overrides)
        return []
    } catch {
        return error.issues.map(\.description)
    }
}

extension Catalogue {
    /// What `lacuna` knows.
    static var all: Catalogue { Catalog.kinds }
}
