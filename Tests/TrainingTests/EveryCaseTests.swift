import Objectives
import Optimizers
import Recipes
import Testing

/// Every choice that the settings of an update rule or a schedule offer is decoded from its key, and makes the part.
@Suite struct EveryCaseTests {
    /// Values for keys without a default.
    private static let values = [
        "betas": "[0.9, 0.999]", "eps": "1e-8", "momentum": "0.9", "trust_coeff": "0.001", "min_lr": "0",
        "milestones_epochs": "[2, 4]", "gamma": "0.1", "step_epochs": "2", "cycle_epochs": "2",
    ]
    /// What a form asks of the shared keys.
    private static let shared = ["spark": ["min_lr": "0.000001"]]

    /// Sections of one kind, as texts: one for each value of each choice and flag.
    private func sections(_ kind: String, _ shape: SectionShape) -> [String] {
        guard case .section(let fields) = shape else { return ["kind: \(kind)"] }
        var changes: [[String: String]] = [[:]]
        for field in fields {
            switch field.shape {
            case .choice(let names):
                changes += names.map { name in
                    (Self.shared[name] ?? [:]).merging([field.key: name]) { own, _ in own }
                }
            case .scalar(let type) where type.schemaName == "boolean":
                // LARS has its flags in one form only.
                let form = kind == "lars" ? ["form": "timm"] : [:]
                changes += ["true", "false"].map { form.merging([field.key: $0]) { _, own in own } }
            default: break
            }
        }
        let choices = fields.compactMap { field -> (String, String)? in
            if case .choice(let names) = field.shape, field.isRequired { (field.key, names[0]) } else { nil }
        }
        return changes.map { change in
            var keys = Dictionary(uniqueKeysWithValues: choices)
            for field in fields where field.isRequired { keys[field.key] = Self.values[field.key] ?? keys[field.key] }
            keys.merge(change) { _, own in own }
            return (["kind: \(kind)"] + keys.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" })
                .joined(separator: ", ")
        }
    }

    private func recipe(_ section: String, _ text: String) throws -> Recipe {
        var lines = Recipe.starter.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        if let start = lines.firstIndex(of: "\(section):") {
            let end = lines[(start + 1)...].firstIndex { !$0.hasPrefix(" ") } ?? lines.count
            lines.replaceSubrange(start..<end, with: ["\(section): {\(text)}"])
        }
        let whole = lines.joined(separator: "\n")
        return try Recipe.load("case.yaml", catalogue: Catalog.kinds) { _, _ in Array(whole.utf8) }
    }

    private func check<Rule: UpdateRule>(_ rule: Rule.Type) throws {
        for text in try sections(Rule.kind, SectionShape.of(Rule.Settings.self)) {
            let found = try recipe("optimizer", text + ", weight_decay: 0").updateRule(Catalog.own.optimizers)
            #expect(type(of: found).kind == Rule.kind, "\(text)")
        }
    }

    private func check<Kind: ScheduleKind>(_ kind: Kind.Type) throws {
        for text in try sections(Kind.kind, SectionShape.of(Kind.Settings.self)) {
            let recipe = try recipe("schedule", text + ", base_lr: 0.001, epochs: 6")
            let rates = try recipe.learningRates(EpochClock(updates: 3), Catalog.own.schedules)
            #expect((0..<18).allSatisfy { (0...0.001).contains(rates.learningRate(at: $0)) }, "\(text)")
        }
    }

    @Test func `every case of every update rule decodes from its key`() throws {
        for rule in Catalog.own.optimizers { try check(rule) }
    }

    @Test func `every case of every schedule decodes from its key`() throws {
        for kind in Catalog.own.schedules { try check(kind) }
    }
}
