import Foundation
import Objectives
import Recipes
import Testing

/// A key whose value is one of a few names, found in the schema.
struct NamedChoice: Sendable, CustomTestStringConvertible {
    /// Of the section around it.
    let path: String
    /// Of that section where it has kinds.
    let kind: String?
    let key: String
    let names: [String]

    var testDescription: String { "\(path.isEmpty ? "" : path + ".")\(key)\(kind.map { " of \($0)" } ?? "")" }

    /// All of them; an item of a list has no path that `--set` could name.
    static let all: [NamedChoice] = {
        guard let text = try? RecipeSchema.text(Catalog.kinds),
            let schema = try? JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any],
            let definitions = schema["definitions"] as? [String: Any],
            let complete = definitions["complete"] as? [String: Any]
        else { return [] }
        return choices(in: complete, at: "")
    }()

    private static func choices(in section: [String: Any], at path: String) -> [NamedChoice] {
        if let kinds = section["oneOf"] as? [[String: Any]] { return kinds.flatMap { choices(in: $0, at: path) } }
        guard let properties = section["properties"] as? [String: [String: Any]] else { return [] }
        let kind = properties["kind"]?["const"] as? String
        return properties.sorted { $0.key < $1.key }.flatMap { key, value -> [NamedChoice] in
            if let names = value["enum"] as? [String] {
                return [NamedChoice(path: path, kind: kind, key: key, names: names)]
            }
            return choices(in: value, at: path.isEmpty ? key : "\(path).\(key)")
        }
    }

    /// What is wrong with the value itself, whatever else its section lacks.
    func errors(_ value: String) -> [String] {
        let set =
            kind.map { "\(path)={kind: \($0), \(key): \(value)}" } ?? "\(path.isEmpty ? "" : path + ".")\(key)=\(value)"
        let place = path.isEmpty ? key : "\(path).\(key)"
        return RecipesTests.errors(Recipe.starter, overrides: [set]).filter {
            $0.contains("\(place): one of") || $0.contains("unknown key '\(key)'")
        }
    }
}

@Suite struct EnumCaseTests {
    @Test func `there are choices of every kind of part`() {
        let found = Set(NamedChoice.all.map(\.testDescription))
        for wanted in [
            "images.random_resized_crop.interpolation", "images.policy.interpolation of rand_augment", "images.random_erasing.mode",
            "images.mix.mode", "data.train.split of cifar10", "tokens.partner",
        ] { #expect(found.contains(wanted), "\(wanted)") }
    }

    @Test(arguments: NamedChoice.all) func `every name of a choice is read, and no other`(_ choice: NamedChoice) {
        for name in choice.names { #expect(choice.errors(name) == [], "\(name)") }
        #expect(choice.errors("nonsense").contains { $0.contains("one of") })
    }
}
