/// An open part of a recipe: the kind says whose settings the other keys are, and that owner decodes them.
public struct Section: Decodable, Sendable, Equatable {
    public let kind: String
    let node: RecipeNode?
    /// Where it stands in the recipe: `objective`, `model`, `data.train`, …
    public let path: String

    package init(kind: String, node: RecipeNode?, path: String) {
        self.kind = kind
        self.node = node
        self.path = path
    }

    /// Only a recipe holds sections; other decoders have no place to keep the node.
    public init(from decoder: any Decoder) throws {
        throw Self.unreadable(decoder)
    }

    static func unreadable(_ decoder: any Decoder) -> DecodingError {
        .dataCorrupted(.init(codingPath: decoder.codingPath, debugDescription: "a section is read from a recipe only"))
    }

    /// The settings of this kind, as strictly as the rest of the recipe. `kind` itself is no key of `Settings`.
    public func decode<Settings: Decodable>(_ type: Settings.Type) throws(RecipeError) -> Settings {
        let report = Report()
        let reader = ValueReader(report: report, root: RecipeNode.wrapping(node, at: path), catalogue: Catalogue())
        let settings = try? reader.value(type, node, path: path, ignoring: ["kind"])
        guard let settings, report.issues.isEmpty else { throw RecipeError(report.issues) }
        return settings
    }

    /// A whole number among the keys, without saying whose: for rules between an objective and any model.
    public func integer(_ key: String) -> Int? {
        guard case .scalar(let text, let isPlain)? = node?.entry(key)?.value.content else { return nil }
        return Int(text: text, isPlain: isPlain)
    }
}

extension RecipeNode {
    /// A tree that holds only `node`, so that the keys of a section decoded alone are found under their full path.
    fileprivate static func wrapping(_ node: RecipeNode?, at path: String) -> RecipeNode {
        let empty = RecipeNode(content: .section([]), place: .standard)
        return path.split(separator: ".").reversed().reduce(node ?? empty) { inner, key in
            let entry = Entry(key: String(key), keyPlace: inner.place, value: inner)
            return RecipeNode(content: .section([entry]), place: inner.place)
        }
    }
}
