import FoundationEssentials

/// A JSON value, read and written: `json["moments"]?["beta"]?.number`. Objects keep the order of their members.
public enum JSON: Codable, Equatable, Sendable {
    case null
    case bool(Bool)
    case integer(Int)
    case number(Double)
    case string(String)
    case array([JSON])
    case object(Members)

    /// The members of an object, in the order in which they were added; equal in any order.
    public struct Members: Equatable, Sendable, ExpressibleByDictionaryLiteral {
        private var values: [String: JSON] = [:]
        public private(set) var keys: [String] = []

        public init(dictionaryLiteral members: (String, JSON)...) {
            for (key, value) in members { self[key] = value }
        }

        /// In the order of the keys.
        public init(_ values: [String: JSON]) { (self.values, keys) = (values, values.keys.sorted()) }

        public subscript(key: String) -> JSON? {
            get { values[key] }
            set {
                if newValue == nil { keys.removeAll { $0 == key } } else if values[key] == nil { keys.append(key) }
                values[key] = newValue
            }
        }

        public static func == (one: Members, other: Members) -> Bool { one.values == other.values }

        fileprivate var dictionary: [String: JSON] { values }
    }

    /// Parses JSON text.
    public init(_ text: String) throws { self = try JSONDecoder().decode(JSON.self, from: Data(text.utf8)) }

    public init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        if value.decodeNil() {
            self = .null
        } else if let bool = try? value.decode(Bool.self) {
            self = .bool(bool)
        } else if let integer = try? value.decode(Int.self) {
            self = .integer(integer)
        } else if let number = try? value.decode(Double.self) {
            self = .number(number)
        } else if let string = try? value.decode(String.self) {
            self = .string(string)
        } else if let array = try? value.decode([JSON].self) {
            self = .array(array)
        } else {
            self = .object(Members(try value.decode([String: JSON].self)))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .bool(let value): try container.encode(value)
        case .integer(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .string(let value): try container.encode(value)
        case .array(let value): try container.encode(value)
        case .object(let value): try container.encode(value.dictionary)
        }
    }
}

extension JSON {
    /// A member of an object; nil for other kinds.
    public subscript(key: String) -> JSON? { object?[key] }

    /// An element of an array; nil outside it and for other kinds.
    public subscript(index: Int) -> JSON? {
        guard let array, array.indices.contains(index) else { return nil }
        return array[index]
    }

    /// The value as one kind; nil for the others.
    public var string: String? { if case .string(let value) = self { value } else { nil } }
    public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
    public var array: [JSON]? { if case .array(let value) = self { value } else { nil } }
    public var object: Members? { if case .object(let value) = self { value } else { nil } }

    /// A number, whole or not.
    public var number: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let value): value
        case .null, .bool, .string, .array, .object: nil
        }
    }

    /// A whole number, also where it was written `2.0`.
    public var integer: Int? {
        switch self {
        case .integer(let value): value
        case .number(let value): Int(exactly: value)
        case .null, .bool, .string, .array, .object: nil
        }
    }

    /// All elements as whole numbers; nil where one is not.
    public var integers: [Int]? {
        guard let array else { return nil }
        let integers = array.compactMap(\.integer)
        return integers.count == array.count ? integers : nil
    }

    /// All elements as strings; nil where one is not.
    public var strings: [String]? {
        guard let array else { return nil }
        let strings = array.compactMap(\.string)
        return strings.count == array.count ? strings : nil
    }
}

/// The writer. Numbers have the shortest digits that read back as the same; JSON has no infinity and no NaN, they become
/// null.
extension JSON {
    /// One line without its end: `{"a": 1, "b": [2, 3]}`.
    public var line: String { written(opening: "", separator: ", ", closing: "") { $0.line } }

    /// Indented text without a last line break.
    public var text: String { text(indent: "\n") }

    /// - Parameter indent: a line break and the spaces that begin a line of the value.
    private func text(indent: String) -> String {
        let inner = indent + "  "
        return written(opening: inner, separator: "," + inner, closing: indent) { $0.text(indent: inner) }
    }

    private func written(
        opening: String, separator: String, closing: String, _ inner: (JSON) -> String
    ) -> String {
        switch self {
        case .null: return "null"
        case .bool(let value): return value ? "true" : "false"
        case .integer(let value): return String(value)
        case .number(let value): return value.isFinite ? value.description : "null"
        case .string(let value): return Self.quoted(value)
        case .array(let values):
            if values.isEmpty { return "[]" }
            return "[" + opening + values.map(inner).joined(separator: separator) + closing + "]"
        case .object(let members):
            let lines = members.keys.compactMap { key in members[key].map { Self.quoted(key) + ": " + inner($0) } }
            return lines.isEmpty ? "{}" : "{" + opening + lines.joined(separator: separator) + closing + "}"
        }
    }

    /// A string in double quotes; valid as JSON and as a double-quoted YAML scalar.
    public static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }

    /// A value that is made of coded keys: keys sorted, so that equal values give equal bytes.
    public static func encoded(
        _ value: some Encodable, indented: Bool = false, snakeCase: Bool = false
    ) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        if indented { encoder.outputFormatting.insert(.prettyPrinted) }
        if snakeCase { encoder.keyEncodingStrategy = .convertToSnakeCase }
        return Array(try encoder.encode(value))
    }
}
