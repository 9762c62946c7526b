import Yams

/// YAML text to a `RecipeNode`: one document, names as keys, no tags, no merge keys, at most 100 nodes through aliases.
package struct YAMLReader {
    static let mostAliasedNodes = 100
    /// A recipe has about a hundred. The bound keeps a hopeless file from a million errors.
    static let mostNodes = 2_000

    private let place: (Mark?) -> Place
    private var anchors: Set<[Int]> = []
    private var aliased = 0
    private var nodes = 0

    /// Reads a text whose values are then said to stand at `place` of their line and column.
    package static func read(_ text: String, place: @escaping (_ line: Int, _ column: Int) -> Place) throws(RecipeError)
        -> RecipeNode
    {
        let at = { (mark: Mark?) in place(mark?.line ?? 0, mark?.column ?? 0) }
        var reader = YAMLReader(place: at)
        do {
            // The parser owns the anchors, which nodes hold weakly: it must outlive the conversion.
            let parser = try Parser(yaml: text, resolver: .basic, encoding: .utf8)
            guard let root = try parser.singleRoot() else {
                throw RecipeError([Issue(place(1, 1), "", "the text is empty")])
            }
            return try withExtendedLifetime(parser) { try reader.node(root, isAliased: false) }
        } catch let error as RecipeError {
            throw error
        } catch {
            throw RecipeError([issue(from: error, place: at)])
        }
    }

    private init(place: @escaping (Mark?) -> Place) {
        self.place = place
    }

    private mutating func node(_ yaml: Node, isAliased: Bool) throws(RecipeError) -> RecipeNode {
        let here = place(yaml.mark)
        nodes += 1
        if nodes > Self.mostNodes {
            throw RecipeError([Issue(here, "", "more than \(Self.mostNodes) values; this is no recipe")])
        }
        var isAliased = isAliased
        if yaml.anchor != nil, let mark = yaml.mark, !anchors.insert([mark.line, mark.column]).inserted {
            isAliased = true  // seen before at the same mark: this is the anchored node, reached through an alias
        }
        if isAliased {
            aliased += 1
            if aliased > Self.mostAliasedNodes {
                throw RecipeError([Issue(here, "", "aliases repeat more than \(Self.mostAliasedNodes) values")])
            }
        }
        switch yaml {
        case .scalar(let scalar):
            try refuseTag(scalar.tag.description, scalar.style == .plain ? [""] : ["", "tag:yaml.org,2002:str"], here)
            return RecipeNode(content: .scalar(scalar.string, isPlain: scalar.style == .plain), place: here)
        case .sequence(let sequence):
            try refuseTag(sequence.tag.description, ["", "tag:yaml.org,2002:seq"], here)
            var items: [RecipeNode] = []
            for item in sequence { items.append(try node(item, isAliased: isAliased)) }
            return RecipeNode(content: .list(items), place: here)
        case .mapping(let mapping):
            try refuseTag(mapping.tag.description, ["", "tag:yaml.org,2002:map"], here)
            var entries: [RecipeNode.Entry] = []
            for (key, value) in mapping {
                let keyPlace = place(key.mark)
                guard case .scalar(let name) = key, !name.string.isEmpty else {
                    throw RecipeError([Issue(keyPlace, "", "a key must be a plain name")])
                }
                if name.string == "<<" {
                    throw RecipeError([Issue(keyPlace, "", "merge keys are not read; write 'extends: file' instead")])
                }
                let value = try node(value, isAliased: isAliased)
                entries.append(RecipeNode.Entry(key: name.string, keyPlace: keyPlace, value: value))
            }
            return RecipeNode(content: .section(entries), place: here)
        case .alias:
            throw RecipeError([Issue(here, "", "an alias without its anchor")])
        }
    }

    private func refuseTag(_ tag: String, _ implicit: [String], _ here: Place) throws(RecipeError) {
        guard !implicit.contains(tag) else { return }
        throw RecipeError([Issue(here, "", "the tag '\(tag)' is not read; the recipe's schema decides types")])
    }

    private static func issue(from error: any Error, place: (Mark?) -> Place) -> Issue {
        guard let error = error as? YamlError else { return Issue(place(nil), "", "\(error)") }
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _):
            let start = context.map { "\($0.text) (line \($0.mark.line)): " } ?? ""
            return Issue(place(mark), "", "not YAML: \(start)\(problem)")
        case .composer(_, let problem, let mark, _):
            let isSecond = problem.contains("another document")
            return Issue(place(mark), "", isSecond ? "a second document; a recipe is one document" : problem)
        case .duplicatedKeysInMapping(let keys, let context):
            let names = keys.map { "'\($0)'" }.joined(separator: ", ")
            return Issue(place(context.mark), "", "\(names) given twice in one section")
        case .reader(let problem, _, _, _):
            return Issue(place(nil), "", "not YAML: \(problem)")
        default:
            return Issue(place(nil), "", "not YAML: \(error)")
        }
    }
}
