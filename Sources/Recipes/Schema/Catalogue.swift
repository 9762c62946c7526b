/// Who owns the keys of a recipe that its frame does not know: kinds of open sections, and parts.
public struct Catalogue: Sendable {
    /// One kind of an open section: its settings, and rules that need the rest of the recipe.
    public struct Kind: Sendable {
        let settings: any RecipeSection.Type
        private let rule: @Sendable (any RecipeSection, Recipe, Here) -> Void

        /// `rules` sees the settings, the recipe and a `Here` at the section.
        public init<Settings: RecipeSection>(
            _ settings: Settings.Type, rules: @escaping @Sendable (Settings, Recipe, Here) -> Void = { _, _, _ in }
        ) {
            self.settings = settings
            rule = { own, recipe, here in
                if let own = own as? Settings { rules(own, recipe, here) }
            }
        }

        /// Decodes a section of this kind; its rules are kept for the end.
        /// - Returns: the keys that all kinds share; nil if a type could not be built.
        func read<Shared: RecipeSection>(
            _ reader: ValueReader, _ section: Section, sharing shared: Shared.Type
        ) -> Shared? {
            func joined<Own: RecipeSection>(_ own: Own.Type) -> Shared? {
                guard
                    let value = try? reader.value(
                        Joined<Shared, Own>.self, section.node, path: section.path, ignoring: ["kind"])
                else { return nil }
                let here = Here(report: reader.report, root: reader.root, path: section.path)
                reader.report.state.rules.append { [rule] in rule(value.own, $0, here) }
                return value.shared
            }
            return joined(settings)
        }

        func fields() throws -> [SectionShape.Field] {
            func fields<Own: RecipeSection>(_ own: Own.Type) throws -> [SectionShape.Field] {
                try SectionShape.fields(own).fields
            }
            return try fields(settings)
        }
    }

    /// The owner of one optional key.
    struct Owner: Sendable {
        let read: @Sendable (ValueReader, RecipeNode, Here, _ path: String) -> Void
        let field: @Sendable () throws -> SectionShape.Field
    }

    /// The kinds that an open section may name, by its path: `objective`, `data.train`.
    public var kinds: [String: [String: Kind]] = [:]
    /// The parts of a section, by its path and their keys.
    private(set) var parts: [String: [String: Owner]] = [:]
    /// Rules over parts with different owners, for recipes that are valid so far; `Here` is at the whole recipe.
    public var rules: [@Sendable (Recipe, Here) -> Void] = []

    /// Without kinds and parts: open sections are read, but not judged.
    public init() {}

    /// Takes a part in.
    public mutating func add<Part: RecipePart & SendableMetatype>(_ part: Part.Type) {
        let (section, key) = Part.key.sectionAndKey
        parts[section, default: [:]][key] = Owner(
            read: { reader, node, here, path in
                guard let settings = try? reader.value(Part.Settings.self, node, path: path) else { return }
                reader.report.state.parts[path] = settings
                reader.report.state.rules.append { Part.check(settings, $0, here) }
            },
            field: {
                SectionShape.Field(
                    key: key, shape: try SectionShape.of(Part.Settings.self), isRequired: false, standard: nil,
                    meaning: Part.meaning)
            })
    }
}

extension String {
    /// A dotted path cut before its last key.
    var sectionAndKey: (section: String, key: String) {
        guard let dot = lastIndex(of: ".") else { return ("", self) }
        return (String(self[..<dot]), String(self[index(after: dot)...]))
    }
}
