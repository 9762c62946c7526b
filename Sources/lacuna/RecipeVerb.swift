import ArgumentParser
import Kernels
import Objectives
import Platform
import Recipes

struct RecipeVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "recipe", abstract: "Check, show and upgrade recipes; their schema; a starter.",
        discussion: """
            Examples:
              lacuna recipe check Recipes/simmim-vit_micro-digits.yaml
              lacuna recipe show Recipes/simmim-vit_micro-digits.yaml \\
                --set batch.global=64
              lacuna recipe new > my.yaml
              lacuna recipe upgrade my.yaml
            """,
        subcommands: [Check.self, Show.self, Schema.self, New.self, Upgrade.self])

    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Report every error of recipes, with line and nearest known key.",
            discussion: "Example: lacuna recipe check Recipes/simmim-vit_micro-digits.yaml")

        enum Format: String, ExpressibleByArgument, CaseIterable { case text, json }

        @OptionGroup var file: RecipeFile

        @Option(help: "text, or json for editors.")
        var format = Format.text

        func run() throws {
            do {
                _ = try file.load()
            } catch let error as RecipeError {
                if format == .text { throw error }
                writeOutput(error.json + "\n")
                throw ExitCode(64)
            }
            writeOutput(format == .json ? "[]\n" : "\(file.recipe): valid\n")
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the resolved recipe with the origin of each value.",
            discussion: "Example: lacuna recipe show Recipes/simmim-vit_micro-digits.yaml --set seed=1")

        @OptionGroup var file: RecipeFile

        func run() throws { writeOutput(try file.load().text(showingOrigins: true)) }
    }

    struct Schema: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the JSON Schema of recipes, for editors.",
            discussion: "Example: lacuna recipe schema > recipe.schema.json")

        func run() throws { writeOutput(try RecipeSchema.text(Catalog.kinds)) }
    }

    struct New: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print a starter recipe.", discussion: "Example: lacuna recipe new > my.yaml")

        func run() { writeOutput(Recipe.starter) }
    }

    struct Upgrade: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Rewrite recipes with the keys of schema 2; comments and layout stay.",
            discussion: """
                A recipe that extends another takes the second number of a pair from it. Nothing is written unless \
                all files can be rewritten; a file that is up to date stays as it is.

                Example: lacuna recipe upgrade my.yaml variant.yaml
                """)

        @Argument(help: "Recipes, YAML files.")
        var files: [String]

        func run() throws {
            // All are read before the first is written: one may extend another.
            let upgraded = try files.map { ($0, try Recipe.upgraded($0, read: RecipeFile.read)) }
            for (path, recipe) in upgraded {
                guard !recipe.changes.isEmpty else {
                    writeOutput("\(path): up to date\n")
                    continue
                }
                let file = try OutputFile(replacing: linkTarget(path))
                try file.write(Array(recipe.text.utf8))
                try file.commit()
                writeOutput(recipe.changes.map { $0 + "\n" }.joined())
            }
        }
    }
}

/// The arguments that name a recipe and change it.
struct RecipeFile: ParsableArguments {
    @Argument(help: "The recipe, a YAML file, or the folder of a run that had it.")
    var recipe: String

    @Option(name: .customLong("set"), help: "Change a key: --set schedule.epochs=10. May be given several times.")
    var overrides: [String] = []

    /// - Parameter changes: made after those of the command line.
    func load(changes: [String] = []) throws -> Recipe { try Self.load(recipe, overrides: overrides + changes) }

    /// What the program wrote into a run is read in every schema.
    static func load(_ path: String, overrides: [String]) throws -> Recipe {
        let path = isRun(path) ? path + "/resolved.yaml" : path
        return try Recipe.load(
            path, overrides: overrides, isSaved: path.hasSuffix("/resolved.yaml"), catalogue: Catalog.kinds, read: read)
    }

    /// The folder of a run stands for the recipe that it was run by.
    var isRun: Bool { Self.isRun(recipe) }

    private static func isRun(_ path: String) -> Bool { FileStatus(path, followingLinks: true)?.isFolder == true }

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
