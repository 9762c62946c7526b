import Foundation
import Objectives
import Recipes
import Testing

/// A key whose value is one of a few names, found in the schema.
struct NamedChoice: Sendable, CustomTestStringConvertible {
    /// The section around it.
    let path: String
    /// The kind of that section, or of the one around it that has kinds.
    let kind: String?
    /// The path of the section with the kind.
    let open: String
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
        return choices(in: complete, at: "", of: (nil, ""))
    }()

    private static func choices(
        in section: [String: Any], at path: String, of around: (kind: String?, open: String)
    ) -> [NamedChoice] {
        if let kinds = section["oneOf"] as? [[String: Any]] {
            return kinds.flatMap { choices(in: $0, at: path, of: around) }
        }
        guard let properties = section["properties"] as? [String: [String: Any]] else { return [] }
        let own = properties["kind"]?["const"] as? String
        let around = own.map { ($0, path) } ?? around
        return properties.sorted { $0.key < $1.key }.flatMap { key, value -> [NamedChoice] in
            if let names = value["enum"] as? [String] {
                return [NamedChoice(path: path, kind: around.kind, open: around.open, key: key, names: names)]
            }
            return choices(in: value, at: path.isEmpty ? key : "\(path).\(key)", of: around)
        }
    }

    /// What is wrong with the value itself, whatever else its section lacks.
    func errors(_ value: String) -> [String] {
        // The section with the kind, and within it the one with the key.
        let inner = path.dropFirst(open.count).split(separator: ".").reversed().reduce("\(key): \(value)") {
            "\($1): {\($0)}"
        }
        let set = kind.map { "\(open)={kind: \($0), \(inner)}" } ?? "\(path.isEmpty ? "" : path + ".")\(key)=\(value)"
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
            "images.random_resized_crop.interpolation", "images.policy.interpolation of rand_augment",
            "images.random_erasing.mode",
            "images.mix.mode", "data.train.split of cifar10", "tokens.partner",
        ] { #expect(found.contains(wanted), "\(wanted)") }
    }

    @Test(arguments: NamedChoice.all) func `every name of a choice is read, and no other`(_ choice: NamedChoice) {
        for name in choice.names { #expect(choice.errors(name) == [], "\(name)") }
        #expect(choice.errors("nonsense").contains { $0.contains("one of") })
    }
}
