/// What a type of the recipe looks like from outside: found by decoding it once from nothing and noting its questions.
package indirect enum SectionShape {
    /// One key of a section.
    package struct Field {
        package let key: String
        package let shape: SectionShape
        package let isRequired: Bool
        package let standard: String?
        package let meaning: String?
    }

    case scalar(any Scalar.Type)
    case choice([String])
    case list(SectionShape)
    case section([Field])
    /// A section whose keys depend on its kind.
    case kinds([(kind: String, fields: [Field])])
    /// An open section: the keys that its kinds share; the catalogue describes those of each kind.
    case open([Field])

    /// The shape of a type.
    package static func of<T: Decodable>(_ type: T.Type) throws -> SectionShape { try described(type).shape }

    /// A stand-in of a type with keys, and those keys.
    static func fields<T: Decodable>(_ type: T.Type) throws -> (value: T, fields: [Field]) {
        let (value, shape) = try described(type)
        if case .section(let fields) = shape { return (value, fields) }
        return (value, [])
    }

    fileprivate static func described<T: Decodable>(_ type: T.Type, kind: String? = nil) throws -> (
        value: T, shape: SectionShape
    ) {
        func answer(_ value: Any?, _ shape: SectionShape) throws -> (value: T, shape: SectionShape) {
            guard let value = value as? T else { throw ValueReader.Stopped() }
            return (value, shape)
        }
        if let scalar = type as? any Scalar.Type { return try answer(scalar.standIn, .scalar(scalar)) }
        if let choice = type as? any Choice.Type {
            return try answer(choice.named(kind), .choice(choice.names))
        }
        if type == Section.self { return try answer(Section(kind: "", node: nil, path: ""), .open([])) }
        if let open = type as? any AnyOpenSection.Type {
            let (value, fields) = try open.described()
            return try answer(value, .open(fields))
        }
        let notes = Notes(kind: kind, owner: type as? any RecipeSection.Type)
        let value = try T(from: Questioner(notes: notes))
        if let item = notes.item { return (value, .list(item)) }
        guard kind == nil, case .choice(let names)? = notes.fields.first(where: { $0.key == "kind" })?.shape else {
            return (value, .section(notes.fields))
        }
        var kinds: [(kind: String, fields: [Field])] = []
        for name in names {
            let notes = Notes(kind: name, owner: type as? any RecipeSection.Type)
            _ = try T(from: Questioner(notes: notes))
            kinds.append((name, notes.fields))
        }
        // The same keys under every kind: the kind is an ordinary choice.
        if Set(kinds.map { $0.fields.map(\.key) }).count == 1 { return (value, .section(notes.fields)) }
        return (value, .kinds(kinds))
    }
}

extension CaseIterable where Self: RawRepresentable<String> {
    /// The case of this name, else the first.
    fileprivate static func named(_ name: String?) -> Self? { name.flatMap { Self(rawValue: $0) } ?? allCases.first }
}

/// What one type asked for.
private final class Notes {
    /// The answer to the question for the key `kind`.
    let kind: String?
    let owner: (any RecipeSection.Type)?
    var fields: [SectionShape.Field] = []
    var item: SectionShape?
    private var optional: Set<String> = []

    init(kind: String?, owner: (any RecipeSection.Type)?) {
        self.kind = kind
        self.owner = owner
    }

    func isOptional(_ key: String) { optional.insert(key) }

    func add(_ key: String, _ shape: SectionShape) {
        guard !fields.contains(where: { $0.key == key }) else { return }
        let standard = owner?.defaults[key]
        fields.append(
            SectionShape.Field(
                key: key, shape: shape, isRequired: standard == nil && !optional.contains(key), standard: standard,
                meaning: owner?.meanings[key]))
    }
}

/// A decoder with nothing in it: answers with stand-ins and notes the questions.
private struct Questioner: Decoder {
    let notes: Notes

    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }
    func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        KeyedDecodingContainer(Questions(notes: notes))
    }
    func unkeyedContainer() throws -> any UnkeyedDecodingContainer { Items(notes: notes) }
    func singleValueContainer() throws -> any SingleValueDecodingContainer { One(notes: notes) }
}

private struct Questions<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let notes: Notes

    var codingPath: [any CodingKey] { [] }
    var allKeys: [Key] { [] }
    func contains(_ key: Key) -> Bool {
        notes.isOptional(key.stringValue.inRecipe)
        return true
    }
    func decodeNil(forKey key: Key) throws -> Bool { false }
    func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T {
        let name = key.stringValue.inRecipe
        let (value, shape) = try SectionShape.described(type, kind: name == "kind" ? notes.kind : nil)
        notes.add(name, shape)
        return value
    }
    func nestedContainer<N: CodingKey>(keyedBy type: N.Type, forKey key: Key) throws -> KeyedDecodingContainer<N> {
        throw ValueReader.Stopped()
    }
    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer { throw ValueReader.Stopped() }
    func superDecoder() throws -> any Decoder { Questioner(notes: notes) }
    func superDecoder(forKey key: Key) throws -> any Decoder { throw ValueReader.Stopped() }
}

private struct Items: UnkeyedDecodingContainer {
    let notes: Notes
    var currentIndex = 0

    init(notes: Notes) { self.notes = notes }

    var codingPath: [any CodingKey] { [] }
    var count: Int? { 1 }
    var isAtEnd: Bool { currentIndex > 0 }
    mutating func decodeNil() throws -> Bool { false }
    mutating func decode<T: Decodable>(_ type: T.Type) throws -> T {
        currentIndex += 1
        let (value, shape) = try SectionShape.described(type)
        notes.item = shape
        return value
    }
    mutating func nestedContainer<N: CodingKey>(keyedBy type: N.Type) throws -> KeyedDecodingContainer<N> {
        throw ValueReader.Stopped()
    }
    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer { throw ValueReader.Stopped() }
    mutating func superDecoder() throws -> any Decoder { throw ValueReader.Stopped() }
}

private struct One: SingleValueDecodingContainer {
    let notes: Notes

    var codingPath: [any CodingKey] { [] }
    func decodeNil() -> Bool { false }
    func decode<T: Decodable>(_ type: T.Type) throws -> T { try SectionShape.described(type).value }
}
