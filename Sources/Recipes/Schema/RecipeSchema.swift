import Messages

/// The JSON Schema of recipes (draft 7, what YAML language servers read), generated from the types that decode them.
public enum RecipeSchema {
    /// The schema with every kind of the catalogue. A file with `extends` may leave keys to its parent.
    public static func text(_ catalogue: Catalogue) throws -> String {
        let shape = try SectionShape.of(Recipe.self)
        return JSON.object([
            "$schema": .string("http://json-schema.org/draft-07/schema#"),
            "title": .string("Lacuna recipe"),
            "if": .object(["required": .array([.string("extends")])]),
            "then": .object(["$ref": .string("#/definitions/variant")]),
            "else": .object(["$ref": .string("#/definitions/complete")]),
            "definitions": .object([
                "complete": try Writer(catalogue: catalogue, isComplete: true).json(shape, at: ""),
                "variant": try Writer(catalogue: catalogue, isComplete: false).json(shape, at: ""),
            ]),
        ]).text + "\n"
    }

    private struct Writer {
        let catalogue: Catalogue
        /// False: no key is required, and `null` takes an inherited one away.
        let isComplete: Bool

        func json(_ shape: SectionShape, at path: String) throws -> JSON {
            switch shape {
            case .scalar(let type): return .object(["type": .string(type.schemaName)])
            case .choice(let names): return .object(["enum": .array(names.map(JSON.string))])
            case .list(let item): return .object(["type": .string("array"), "items": try json(item, at: path)])
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
            var properties: JSON.Members = [:]
            if path.isEmpty {
                properties["extends"] = .object([
                    "type": .string("string"), "description": .string(Recipe.extendsMeaning),
                ])
            }
            if let kind { properties["kind"] = .object(["const": .string(kind)]) }
            let parts = try (catalogue.parts[path] ?? [:]).sorted { $0.key < $1.key }.map { try $0.value.field() }
            for field in fields + parts where kind == nil || field.key != "kind" {
                properties[field.key] = try property(field, at: path)
            }
            var result: JSON.Members = ["type": .string("object"), "properties": .object(properties)]
            let required =
                (kind == nil ? [] : ["kind"])
                + fields.filter(\.isRequired).map(\.key).filter { $0 != "kind" || kind == nil }
            if isComplete { result["required"] = .array(required.map(JSON.string)) }
            result["additionalProperties"] = .bool(false)
            return .object(result)
        }

        private func variants(_ kinds: [(kind: String, fields: [SectionShape.Field])], at path: String) throws -> JSON {
            if isComplete {
                return .object(["oneOf": .array(try kinds.map { try section($0.fields, kind: $0.kind, at: path) })])
            }
            // A variant may leave the kind to its parent: any key of any kind can stand here.
            var properties: JSON.Members = ["kind": .object(["enum": .array(kinds.map { .string($0.kind) })])]
            for field in kinds.flatMap(\.fields) where properties[field.key] == nil {
                properties[field.key] = try property(field, at: path)
            }
            return .object([
                "type": .string("object"), "properties": .object(properties), "additionalProperties": .bool(false),
            ])
        }

        private func property(_ field: SectionShape.Field, at path: String) throws -> JSON {
            guard case .object(var result) = try json(field.shape, at: path.appending(key: field.key)) else {
                return .object([:])
            }
            if path.isEmpty, field.key == "schema" { result["const"] = .integer(Recipe.currentSchema) }
            var meaning = field.meaning ?? ""
            if let standard = field.standard {
                meaning += "\(meaning.isEmpty ? "" : " ")Default: \(standard)."
                if case .scalar(let type) = field.shape {
                    result["default"] = type.schemaName == "string" ? .string(standard) : try JSON(standard)
                }
            }
            if !meaning.isEmpty { result["description"] = .string(meaning) }
            if isComplete || field.isRequired { return .object(result) }
            return .object(["anyOf": .array([.object(result), .object(["type": .string("null")])])])
        }
    }
}
