/// The JSON Schema of recipes (draft 7, what YAML language servers read), generated from the types that decode them.
public enum RecipeSchema {
    /// The schema with every kind of the catalogue. A file with `extends` may leave keys to its parent.
    public static func text(_ catalogue: Catalogue) throws -> String {
        let shape = try SectionShape.of(Recipe.self)
        return JSON.object([
            ("$schema", .text("http://json-schema.org/draft-07/schema#")),
            ("title", .text("Lacuna recipe")),
            ("if", .object([("required", .list([.text("extends")]))])),
            ("then", .object([("$ref", .text("#/definitions/variant"))])),
            ("else", .object([("$ref", .text("#/definitions/complete"))])),
            (
                "definitions",
                .object([
                    ("complete", try Writer(catalogue: catalogue, isComplete: true).json(shape, at: "")),
                    ("variant", try Writer(catalogue: catalogue, isComplete: false).json(shape, at: "")),
                ])
            ),
        ]).text + "\n"
    }

    private struct Writer {
        let catalogue: Catalogue
        /// False: no key is required, and `null` takes an inherited one away.
        let isComplete: Bool

        func json(_ shape: SectionShape, at path: String) throws -> JSON {
            switch shape {
            case .scalar(let type): return .object([("type", .text(type.schemaName))])
            case .choice(let names): return .object([("enum", .list(names.map { .text($0) }))])
            case .list(let item): return .object([("type", .text("array")), ("items", try json(item, at: path))])
            case .section(let fields): return try section(fields, at: path)
            case .kinds(let kinds): return try variants(kinds, at: path)
            case .open(let shared):
                let kinds = try (catalogue.kinds[path] ?? [:]).sorted { $0.key < $1.key }.map {
                    (kind: $0.key, fields: try shared + $0.value.fields())
                }
                return try variants(kinds, at: path)
            }
        }

        private func section(_ fields: [SectionShape.Field], kind: String? = nil, at path: String) throws -> JSON {
            var properties: [(String, JSON)] = []
            if path.isEmpty {
                properties.append(
                    ("extends", .object([("type", .text("string")), ("description", .text(Recipe.extendsMeaning))])))
            }
            if let kind { properties.append(("kind", .object([("const", .text(kind))]))) }
            let parts = try (catalogue.parts[path] ?? [:]).sorted { $0.key < $1.key }.map { try $0.value.field() }
            for field in fields + parts where kind == nil || field.key != "kind" {
                properties.append((field.key, try property(field, at: path)))
            }
            var result: [(String, JSON)] = [("type", .text("object")), ("properties", .object(properties))]
            let required =
                (kind == nil ? [] : ["kind"])
                + fields.filter(\.isRequired).map(\.key).filter { $0 != "kind" || kind == nil }
            if isComplete { result.append(("required", .list(required.map { .text($0) }))) }
            result.append(("additionalProperties", .boolean(false)))
            return .object(result)
        }

        private func variants(_ kinds: [(kind: String, fields: [SectionShape.Field])], at path: String) throws -> JSON {
            if isComplete {
                return .object([("oneOf", .list(try kinds.map { try section($0.fields, kind: $0.kind, at: path) }))])
            }
            // A variant may leave the kind to its parent: any key of any kind can stand here.
            var properties: [(String, JSON)] = [("kind", .object([("enum", .list(kinds.map { .text($0.kind) }))]))]
            for field in kinds.flatMap(\.fields) where !properties.contains(where: { $0.0 == field.key }) {
                properties.append((field.key, try property(field, at: path)))
            }
            return .object([
                ("type", .text("object")), ("properties", .object(properties)),
                ("additionalProperties", .boolean(false)),
            ])
        }

        private func property(_ field: SectionShape.Field, at path: String) throws -> JSON {
            guard case .object(var result) = try json(field.shape, at: path.appending(key: field.key)) else {
                return .object([])
            }
            var meaning = field.meaning ?? ""
            if let standard = field.standard {
                meaning += "\(meaning.isEmpty ? "" : " ")Default: \(standard)."
                if case .scalar(let type) = field.shape {
                    result.append(("default", type.schemaName == "string" ? .text(standard) : .raw(standard)))
                }
            }
            if !meaning.isEmpty { result.insert(("description", .text(meaning)), at: 0) }
            if isComplete || field.isRequired { return .object(result) }
            return .object([("anyOf", .list([.object(result), .object([("type", .text("null"))])]))])
        }
    }
}
