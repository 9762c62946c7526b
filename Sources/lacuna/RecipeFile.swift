import ArgumentParser
import Kernels
import Objectives
import Platform
import Recipes

/// The arguments that name a recipe and change it.
struct RecipeFile: ParsableArguments {
    @Argument(help: "The recipe, a YAML file.")
    var recipe: String

    @Option(name: .customLong("set"), help: "Change a key: --set schedule.epochs=10. May be given several times.")
    var overrides: [String] = []

    /// - Parameter changes: made after those of the command line.
    func load(changes: [String] = []) throws -> Recipe { try Self.load(recipe, overrides: overrides + changes) }

    static func load(_ path: String, overrides: [String]) throws -> Recipe {
        try Recipe.load(path, overrides: overrides, catalogue: Catalog.kinds, read: read)
    }

    static func read(_ path: String, limit: Int) throws -> [UInt8] {
        do {
            return try InputFile.contents(path, limit: limit).array
        } catch { throw UnreadableRecipe(description: error.reason) }
    }
}

/// The decoder names the file itself.
private struct UnreadableRecipe: Error, CustomStringConvertible {
    let description: String
}
