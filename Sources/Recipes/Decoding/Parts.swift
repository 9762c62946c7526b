// How a recipe gets keys from modules that this one does not depend on. Two forms:
// - an open section (`Section`, `OpenSection`): its `kind` names the owner of the other keys, as in `model` or `optimizer`;
// - a part (`RecipePart`): an optional key of a section, which one owner brings along, as `online_probe` or `images.mix`.
// The `Catalogue` says who owns what; each owner is decoded in its place, as strictly as the rest.

/// A thing that a recipe may have under one optional key, whose owner stands in a module of its own.
public protocol RecipePart: SendableMetatype {
    /// What stands under the key: a section, or one number.
    associatedtype Settings: Decodable & Sendable
    /// The dotted path of the key in a recipe: `online_probe`, `images.hflip`.
    static var key: String { get }
    /// One line for the schema: meaning, unit, range, and what its absence means.
    static var meaning: String { get }
    /// Ranges of a value that is no section, and rules with the rest of the recipe; `here` is at the section around the key.
    static func check(_ settings: Settings, _ recipe: Recipe, _ here: Here)
}

extension RecipePart {
    /// No rules beyond those of the settings.
    public static func check(_ settings: Settings, _ recipe: Recipe, _ here: Here) {}
}

extension Recipe {
    /// The settings of a part; nil where the recipe does not have it.
    public func settings<Part: RecipePart>(of part: Part.Type) -> Part.Settings? { parts[Part.key] as? Part.Settings }

    /// Whether a part stands under this dotted path.
    public func has(_ path: String) -> Bool { parts[path] != nil }
}

/// An open section with keys that all its kinds share: those are members, the kind's own are decoded by its owner.
@dynamicMemberLookup
public struct OpenSection<Shared: RecipeSection>: Decodable, Sendable {
    public let section: Section
    public let shared: Shared

    public var kind: String { section.kind }

    public subscript<Value>(dynamicMember path: KeyPath<Shared, Value>) -> Value { shared[keyPath: path] }

    /// The kind's own settings, as strictly as the rest of the recipe.
    public func decode<Own: RecipeSection>(_ own: Own.Type) throws(RecipeError) -> Own {
        try section.decode(Joined<Shared, Own>.self).own
    }

    public init(from decoder: any Decoder) throws { throw Section.unreadable(decoder) }

    fileprivate init(_ section: Section, _ shared: Shared) { (self.section, self.shared) = (section, shared) }
}

/// What the decoder and the schema ask of every `OpenSection`, whatever its shared keys.
protocol AnyOpenSection {
    static func read(_ reader: ValueReader, _ node: RecipeNode?, path: String) -> Self?
    /// A stand-in, and the shared keys.
    static func shape() throws -> (value: Self, fields: [SectionShape.Field])
}

extension AnyOpenSection {
    /// `shape` with its type forgotten.
    static func described() throws -> (value: Any, fields: [SectionShape.Field]) { try shape() }
}

extension OpenSection: AnyOpenSection {
    static func read(_ reader: ValueReader, _ node: RecipeNode?, path: String) -> Self? {
        let section = reader.section(node, path: path)
        guard let shared = reader.parts(of: section, sharing: Shared.self) else { return nil }
        return Self(section, shared)
    }

    static func shape() throws -> (value: Self, fields: [SectionShape.Field]) {
        let (shared, fields) = try SectionShape.fields(Shared.self)
        return (Self(Section(kind: "", node: nil, path: ""), shared), fields)
    }
}

/// No shared keys.
struct Nothing: RecipeSection {}

/// Two owners of the keys of one section.
struct Joined<Shared: RecipeSection, Own: RecipeSection>: RecipeSection {
    let shared: Shared
    let own: Own

    init(from decoder: any Decoder) throws {
        shared = try Shared(from: decoder)
        own = try Own(from: decoder)
    }

    static var defaults: [String: String] { Shared.defaults.merging(Own.defaults) { _, own in own } }
    static var meanings: [String: String] { Shared.meanings.merging(Own.meanings) { _, own in own } }

    func check(_ here: Here) {
        shared.check(here)
        own.check(here)
    }
}

extension ValueReader {
    /// Decodes the keys of an open section with the owner that its kind names, whose rules are asked at the end.
    /// - Returns: the shared keys; nil if a type could not be built.
    func parts<Shared: RecipeSection>(of section: Section, sharing shared: Shared.Type) -> Shared? {
        let kinds = catalogue.kinds[section.path] ?? [:]
        guard let node = section.node, !kinds.isEmpty else { return sharedAlone(shared, section) }
        if let kind = kinds[section.kind] { return kind.read(self, section, sharing: shared) }
        let nearest = Spelling.nearest(to: section.kind, among: kinds.keys.sorted())
        let path = section.path.appending(key: "kind")
        let names = kinds.keys.sorted().joined(separator: ", ")
        if let value = node.entry("kind")?.value {
            report.add(
                Issue(value.place, path, "one of \(names) expected, found \(value.found)", suggestion: nearest),
                spoiling: path)
        }
        // The near kind is surely meant: its keys are judged in the same run.
        if let nearest, let kind = kinds[nearest] { return kind.read(self, section, sharing: shared) }
        return sharedAlone(shared, section)
    }

    /// The shared keys where the others are anyone's guess: what is wrong with them is not told, only remembered.
    private func sharedAlone<Shared: RecipeSection>(_ shared: Shared.Type, _ section: Section) -> Shared? {
        let before = report.state
        let value = try? self.value(Shared.self, section.node, path: section.path)
        let unsound = report.state.unsound
        report.state = before
        report.state.unsound = unsound
        return value
    }

    /// Decodes the parts that stand under the names of schema 1.
    func readParts(_ old: [String: Schema1.Rule], _ entries: [RecipeNode.Entry], at path: String) {
        for entry in entries {
            guard let rule = old[entry.key], case .name = rule.change, let owner = catalogue.parts[path]?[rule.new]
            else {
                continue
            }
            let here = Here(report: report, root: root, path: path)
            owner.read(self, entry.value, here, path.appending(key: rule.new))
        }
    }

    /// Decodes the parts among a section's keys that nobody else asked for.
    /// - Returns: the keys that are parts.
    func readParts(_ entries: [RecipeNode.Entry], at path: String) -> Set<String> {
        guard let owners = catalogue.parts[path] else { return [] }
        var known: Set<String> = []
        for entry in entries {
            guard let owner = owners[entry.key] else { continue }
            known.insert(entry.key)
            owner.read(self, entry.value, Here(report: report, root: root, path: path), path.appending(key: entry.key))
        }
        return known
    }
}
