/// A section of a recipe: its keys are the stored properties, `warmupEpochs` being written `warmup_epochs`.
///
/// A property that is not optional is a required key unless `defaults` names it. An optional one may be left out,
/// which switches off what it stands for. The decoder, the schema and `recipe show` all read this one declaration.
public protocol RecipeSection: Decodable, Sendable {
    /// Keys that may be left out, with the YAML text of the value they then have.
    static var defaults: [String: String] { get }
    /// One line for each key: meaning, unit, range.
    static var meanings: [String: String] { get }
    /// Rules over several keys, and ranges.
    func check(_ here: Here)
}

extension RecipeSection {
    /// No key may be left out.
    public static var defaults: [String: String] { [:] }
    /// Nothing to say.
    public static var meanings: [String: String] { [:] }
    /// No rules.
    public func check(_ here: Here) {}
}

/// A section being checked. A rule is asked only if the keys it reads were decoded, so that one slip gives one error.
public struct Here {
    let report: Report
    let root: RecipeNode
    /// Path of the section, empty for the whole recipe.
    let path: String

    /// Reports `message` at `key` unless the rule holds. Keys are relative to this section; `reading` names the others
    /// that the rule looks at.
    public func require(
        _ holds: @autoclosure () -> Bool, at key: String, reading others: [String] = [],
        _ message: @autoclosure () -> String
    ) {
        guard ([key] + others).allSatisfy({ report.isSound(path.appending(key: $0)) }), !holds() else { return }
        let full = path.appending(key: key)
        // A value out of range spoils the rules that reckon with it; one that only disagrees with another does not.
        report.add(Issue(place(of: full), full, message()), spoiling: key.isEmpty || !others.isEmpty ? nil : full)
    }

    /// The same rules seen from the whole recipe.
    public var recipe: Here { Here(report: report, root: root, path: "") }

    /// Where the key stands; for one that was left out, its section.
    private func place(of path: String) -> Place {
        var node = root
        var place = root.place
        for key in path.split(separator: ".") {
            guard let entry = node.entry(String(key)) else { break }
            place = entry.keyPlace
            node = entry.value
        }
        return place
    }
}

extension String {
    /// This dotted path with one more key.
    package func appending(key: String) -> String { isEmpty ? key : key.isEmpty ? self : "\(self).\(key)" }

    /// `warmupEpochs` as it is written in a recipe, `warmup_epochs`; `baseLR` is `base_lr`.
    var inRecipe: String {
        var result = ""
        var last: Character?
        for character in self {
            if character.isUppercase, last?.isUppercase == false { result += "_" }
            result += character.lowercased()
            last = character
        }
        return result
    }
}
