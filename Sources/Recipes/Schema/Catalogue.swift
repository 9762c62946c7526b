/// The kinds that open parts of a recipe may name, with the types that own their settings.
public struct Catalogue: Sendable {
    /// One kind: its settings, and rules that need the rest of the recipe.
    public struct Kind: Sendable {
        /// Decodes the settings into the report and hands back the rules, to be asked when every part is decoded.
        let decode: @Sendable (Section, Here) -> ((Recipe) -> Void)?
        let fields: @Sendable () throws -> [SectionShape.Field]

        /// `rules` sees the settings, the recipe and a `Here` at the section.
        public init<Settings: Decodable & Sendable>(
            _ settings: Settings.Type, rules: @escaping @Sendable (Settings, Recipe, Here) -> Void = { _, _, _ in }
        ) {
            decode = { section, here in
                guard let value = section.decode(Settings.self, into: here.report, root: here.root) else { return nil }
                return { rules(value, $0, here) }
            }
            fields = {
                if case .section(let fields) = try SectionShape.of(Settings.self) { fields } else { [] }
            }
        }
    }

    public var objectives: [String: Kind]
    public var models: [String: Kind]
    public var sources: [String: Kind]
    /// Rules over parts with different owners, for recipes that are sound so far; `Here` is at the whole recipe.
    public var rules: [@Sendable (Recipe, Here) -> Void] = []

    public init(objectives: [String: Kind], models: [String: Kind], sources: [String: Kind]) {
        self.objectives = objectives
        self.models = models
        self.sources = sources
    }

    /// The kinds allowed at a path of the recipe.
    func kinds(at path: String) -> [String: Kind] {
        switch path {
        case "objective": objectives
        case "model", "guidance.guide_arch": models
        case "data.train", "data.evaluation": sources
        default: [:]
        }
    }

    /// Decodes every open part of a recipe and asks the rules of its kind.
    func check(_ recipe: Recipe, into report: Report, root: RecipeNode) {
        var rules: [(Recipe) -> Void] = []
        for section in recipe.sections where section.node != nil {
            let kinds = kinds(at: section.path)
            let here = Here(report: report, root: root, path: section.path)
            if let kind = kinds[section.kind] {
                if let rule = kind.decode(section, here) { rules.append(rule) }
                continue
            }
            let nearest = Spelling.nearest(to: section.kind, among: kinds.keys.sorted())
            let path = section.path.appending(key: "kind")
            guard let value = section.node?.entry("kind")?.value else { continue }
            let names = kinds.keys.sorted().joined(separator: ", ")
            report.add(
                Issue(value.place, path, "one of \(names) expected, found \(value.found)", suggestion: nearest),
                spoiling: path)
            // The near kind is surely meant: its keys are judged in the same run.
            if let nearest, let rule = kinds[nearest]?.decode(section, here) { rules.append(rule) }
        }
        for rule in rules { rule(recipe) }
        guard report.issues.isEmpty else { return }
        for rule in self.rules { rule(recipe, Here(report: report, root: root, path: "")) }
    }
}
