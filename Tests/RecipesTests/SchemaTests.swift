import FoundationEssentials
import Testing

import Objectives
import Optimizers
import Recipes

@Suite struct SchemaTests {
    /// Any JSON value, to walk through the schema.
    private indirect enum Value: Decodable {
        case object([String: Value]), list([Value]), other

        init(from decoder: any Decoder) throws {
            let value = try decoder.singleValueContainer()
            if let object = try? value.decode([String: Value].self) {
                self = .object(object)
            } else if let list = try? value.decode([Value].self) {
                self = .list(list)
            } else {
                self = .other
            }
        }

        var keys: Set<String> {
            switch self {
            case .object(let fields): fields.values.reduce(into: Set(fields.keys)) { $0.formUnion($1.keys) }
            case .list(let items): items.reduce(into: []) { $0.formUnion($1.keys) }
            case .other: []
            }
        }

        subscript(key: String) -> Value? { if case .object(let fields) = self { fields[key] } else { nil } }
    }

    private func schema() throws -> Value {
        try JSONDecoder().decode(Value.self, from: Data(RecipeSchema.text(.all).utf8))
    }

    @Test func `the schema is JSON and names every key of every shipped recipe`() throws {
        let known = try schema().keys
        for path in shipped {
            let recipe = try Recipe.load(path, catalogue: .all, read: readFromDisk)
            for line in recipe.text(showingOrigins: false).split(separator: "\n") {
                let key = String(line.prefix { $0 != ":" }.drop { $0 == " " })
                #expect(known.contains(key), "\(key)")
            }
        }
    }

    @Test func `the schema knows keys no shipped recipe uses`() throws {
        let known = try schema().keys
        for key in [
            "extends", "ema", "threads", "momentum", "nesterov", "always_adapt", "step_epochs", "gamma", "trust_coeff",
        ] {
            #expect(known.contains(key), "\(key)")
        }
    }

    @Test func `the schema prints every default and the meaning of every key`() throws {
        let text = try RecipeSchema.text(.all)
        #expect(text.contains("Micro-batches of an update. Default: 1."))
        #expect(text.contains("Default: true."))
        #expect(text.contains("\"const\": 2"))
        let missing = try SectionShape.of(Recipe.self).unexplained(at: "")
        #expect(missing == [])
    }

    @Test func `keys depend on the kind`() throws {
        func keys<Kind: ScheduleKind>(_ kind: Kind.Type) throws -> Set<String> {
            guard case .section(let fields) = try SectionShape.of(Kind.Settings.self) else { return [] }
            return Set(fields.map(\.key))
        }
        #expect(try keys(Cosine.self).contains("min_lr"))
        #expect(try !keys(MultiStep.self).contains("min_lr"))
        #expect(try keys(MultiStep.self).contains("milestones_epochs"))
    }

    @Test func `update rules and schedules explain every key`() throws {
        for rule in Catalog.own.optimizers { #expect(try unexplained(rule) == [], "\(rule.kind)") }
        for kind in Catalog.own.schedules { #expect(try unexplained(kind) == [], "\(kind.kind)") }
    }

    private func unexplained<Rule: UpdateRule>(_ rule: Rule.Type) throws -> [String] {
        try SectionShape.of(Rule.Settings.self).unexplained(at: "")
    }

    private func unexplained<Kind: ScheduleKind>(_ kind: Kind.Type) throws -> [String] {
        try SectionShape.of(Kind.Settings.self).unexplained(at: "")
    }

    @Test func `the list of errors is JSON for editors`() throws {
        let error = #expect(throws: RecipeError.self) { try load(starter(("max_norm: 5", "max_nrom: 5"))) }
        struct Entry: Decodable { let file: String, line: Int, path: String, suggestion: String? }
        let entries = try JSONDecoder().decode([Entry].self, from: Data((error?.json ?? "").utf8))
        #expect(entries.first?.line == 62)
        #expect(entries.first?.suggestion == "max_norm")
    }
}

extension SectionShape {
    /// Keys without a meaning.
    fileprivate func unexplained(at path: String) -> [String] {
        func look(_ fields: [Field]) -> [String] {
            fields.flatMap { field in
                let path = path.appending(key: field.key)
                return (field.meaning == nil ? [path] : []) + field.shape.unexplained(at: path)
            }
        }
        return switch self {
        case .section(let fields): look(fields)
        case .kinds(let kinds): look(kinds.flatMap(\.fields))
        case .list(let item): item.unexplained(at: path)
        case .scalar, .choice, .open: []
        }
    }
}
