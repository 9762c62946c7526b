/// A value of a recipe with the place it was written at. Scalars keep their raw text: the schema decides their type.
public struct RecipeNode: Sendable, Equatable {
    /// What a node holds.
    public indirect enum Content: Sendable, Equatable {
        /// `isPlain` is false for quoted and block text, which is never a number or a boolean.
        case scalar(String, isPlain: Bool)
        case list([RecipeNode])
        case section([Entry])
    }

    /// One key of a section.
    public struct Entry: Sendable, Equatable {
        public let key: String
        public internal(set) var keyPlace: Place
        public var value: RecipeNode
    }

    public var content: Content
    public var place: Place

    /// The entries of a section, else nothing.
    var entries: [Entry] {
        get { if case .section(let entries) = content { entries } else { [] } }
        set { content = .section(newValue) }
    }

    /// `null` or `~`: takes an inherited key away, has no other meaning.
    var isNull: Bool { content == .scalar("null", isPlain: true) || content == .scalar("~", isPlain: true) }

    /// What an error calls it.
    var found: String {
        switch content {
        case .scalar("", isPlain: true): "nothing"
        case .scalar(let text, let isPlain): isPlain ? "'\(text.brief)'" : "the quoted text \"\(text.brief)\""
        case .list: "a list"
        case .section: "a section"
        }
    }

    /// The entry with this key.
    func entry(_ key: String) -> Entry? { entries.first { $0.key == key } }

    /// The value at a dotted path.
    public func value(at path: String) -> RecipeNode? {
        var node = self
        for key in path.split(separator: ".") {
            guard let entry = node.entry(String(key)) else { return nil }
            node = entry.value
        }
        return node
    }

    /// This node with `child` laid over it: sections merge key by key, everything else is replaced, `null` removes.
    func merged(with child: RecipeNode) -> RecipeNode {
        guard case .section(var entries) = content, case .section(let changes) = child.content else { return child }
        for change in changes {
            let index = entries.firstIndex { $0.key == change.key }
            switch (index, change.value.isNull) {
            case (let index?, true): entries.remove(at: index)
            case (let index?, false):
                entries[index].value = entries[index].value.merged(with: change.value)
                // A section stands where it was first written, a single value where it was last.
                if case .section = change.value.content { continue }
                entries[index].keyPlace = change.keyPlace
            case (nil, _): entries.append(change)
            }
        }
        return RecipeNode(content: .section(entries), place: place)
    }

    /// Adds a value at a dotted path whose section exists and lacks the key.
    mutating func add(_ value: RecipeNode, at path: ArraySlice<Substring>) {
        guard let first = path.first, case .section(var entries) = content else { return }
        let key = String(first)
        if path.count == 1 {
            entries.append(Entry(key: key, keyPlace: value.place, value: value))
        } else if let index = entries.firstIndex(where: { $0.key == key }) {
            entries[index].value.add(value, at: path.dropFirst())
        }
        content = .section(entries)
    }
}

extension String {
    /// At most 40 characters, for messages.
    var brief: String { count <= 40 ? self : prefix(39) + "…" }
}
