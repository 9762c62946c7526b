/// The `Decoder` behind every section of a recipe. It notes the keys a type asks for and reports instead of throwing.
struct NodeDecoder: Decoder {
    let reader: ValueReader
    /// Nil: an error stands for this value already; every question gets a stand-in.
    let node: RecipeNode?
    let path: String
    let ledger: KeyLedger
    /// The section that is being built, for its defaults.
    let owner: (any RecipeSection.Type)?

    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        ledger.isKeyed = true
        guard let node else { return KeyedDecodingContainer(Keyed(decoder: self, section: nil)) }
        guard case .section = node.content else {
            reader.report(node, path, expected: "a section of keys")
            return KeyedDecodingContainer(Keyed(decoder: self, section: nil))
        }
        return KeyedDecodingContainer(Keyed(decoder: self, section: node))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        guard let node else { return Listed(decoder: self, items: []) }
        guard case .list(let items) = node.content else {
            reader.report(node, path, expected: "a list")
            return Listed(decoder: self, items: [])
        }
        return Listed(decoder: self, items: items)
    }

    func singleValueContainer() throws -> any SingleValueDecodingContainer { Single(decoder: self) }

    /// The value of a key that the type cannot do without.
    fileprivate func required<T: Decodable>(_ type: T.Type, _ key: String, in section: RecipeNode?) throws -> T {
        ledger.ask(key)
        let below = path.appending(key: key)
        guard let section else { return try reader.value(type, nil, path: below) }
        let issues = reader.report.state.issues.count
        let found = section.entry(ledger.written(key))?.value
        let value: T
        if let found {
            value = try reader.value(type, found, path: below)
        } else if let text = owner?.defaults[key] {
            ledger.lacks(key, isRequired: false)
            let standard = try YAMLReader.read(text) { _, _ in .standard }
            reader.report.state.defaults.append((below, standard))
            value = try reader.value(type, standard, path: below)
        } else {
            ledger.lacks(key, isRequired: true)
            value = try reader.value(type, nil, path: below)
        }
        // The kind decides which other keys there are; if it is anyone's guess, the other keys are not judged.
        if key == "kind", type is any Choice.Type {
            let isGuess = reader.report.state.issues.dropFirst(issues).contains { $0.suggestion == nil }
            if isGuess || (found == nil && ledger.missing.contains(key)) { ledger.kindIsUnclear() }
        }
        return value
    }
}

/// Keys of a section. Property names are asked for in Swift's spelling and looked up in the recipe's.
private struct Keyed<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let decoder: NodeDecoder
    let section: RecipeNode?

    var codingPath: [any CodingKey] { [] }
    var allKeys: [Key] { section?.entries.compactMap { Key(stringValue: $0.key) } ?? [] }

    func contains(_ key: Key) -> Bool {
        let name = key.stringValue.inRecipe
        decoder.ledger.ask(name)
        guard let section else { return false }
        if section.entry(decoder.ledger.written(name)) != nil { return true }
        decoder.ledger.lacks(name, isRequired: false)
        return false
    }

    func decodeNil(forKey key: Key) throws -> Bool { false }

    func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T {
        try decoder.required(type, key.stringValue.inRecipe, in: section)
    }

    func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type, forKey key: Key) throws
        -> KeyedDecodingContainer<Nested>
    { throw unsupported(key) }
    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer { throw unsupported(key) }
    func superDecoder() throws -> any Decoder { decoder }
    func superDecoder(forKey key: Key) throws -> any Decoder { throw unsupported(key) }
}

/// Items of a list.
private struct Listed: UnkeyedDecodingContainer {
    let decoder: NodeDecoder
    let items: [RecipeNode]
    var currentIndex = 0

    init(decoder: NodeDecoder, items: [RecipeNode]) {
        self.decoder = decoder
        self.items = items
    }

    var codingPath: [any CodingKey] { [] }
    var count: Int? { items.count }
    var isAtEnd: Bool { currentIndex >= items.count }

    mutating func decodeNil() throws -> Bool { false }

    mutating func decode<T: Decodable>(_ type: T.Type) throws -> T {
        defer { currentIndex += 1 }
        let item = isAtEnd ? nil : items[currentIndex]
        return try decoder.reader.value(type, item, path: "\(decoder.path)[\(currentIndex)]")
    }

    mutating func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) throws -> KeyedDecodingContainer<Nested>
    { throw unsupported(nil) }
    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer { throw unsupported(nil) }
    mutating func superDecoder() throws -> any Decoder { throw unsupported(nil) }
}

/// A type that wraps one value.
private struct Single: SingleValueDecodingContainer {
    let decoder: NodeDecoder

    var codingPath: [any CodingKey] { [] }
    func decodeNil() -> Bool { false }
    func decode<T: Decodable>(_ type: T.Type) throws -> T {
        try decoder.reader.value(type, decoder.node, path: decoder.path)
    }
}

/// Containers inside containers are for hand-written decoding; a recipe's types are nested structs.
private func unsupported(_ key: (any CodingKey)?) -> DecodingError {
    .dataCorrupted(.init(codingPath: key.map { [$0] } ?? [], debugDescription: "settings must be nested structs"))
}
