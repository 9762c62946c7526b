import Kernels

/// Rules that turn a third-party file's names into ours or the other way, in order; each rule sees what the ones before it left.
public struct NameMap: Sendable {
    /// In patterns `*` stands for one part between dots and `**` for any number of parts.
    public enum Rule: Sendable, Equatable {
        /// Takes `prefix` off the names that start with it.
        case dropPrefix(String)
        /// Puts `prefix` in front of every name.
        case addPrefix(String)
        /// `rename("layers.*.0.fn.**", "blocks.*.attn.**")`: the wildcards of both sides correspond in order.
        case rename(String, String)
        /// Cuts a tensor into equal thirds along its first extent; the targets' wildcards are the pattern's.
        case splitQKV(String, query: String, key: String, value: String)
        /// Leaves these tensors out.
        case ignore(String)
    }

    /// Where one of our tensors comes from.
    public struct Source: Sendable, Equatable {
        /// The file's name.
        public let origin: String
        public var name: String
        public var shape: [Int]
        /// Rows of the origin's first extent; nil: all.
        public var rows: Range<Int>?
    }

    public let rules: [Rule]

    public init(_ rules: [Rule]) {
        for case .rename(let from, let to) in rules {
            precondition(
                NamePattern(from).wildcards == NamePattern(to).wildcards, "\(from) and \(to): wildcards must correspond"
            )
        }
        self.rules = rules
    }

    /// Applies the rules to names and shapes alone. Two tensors that end under one name are an error.
    public func apply(to names: [(name: String, shape: [Int])]) throws(CheckpointError) -> [Source] {
        var sources = names.map { Source(origin: $0.name, name: $0.name, shape: $0.shape) }
        for rule in rules {
            var next: [Source] = []
            next.reserveCapacity(sources.count)
            for source in sources { next += try Self.apply(rule, source) }
            sources = next
        }
        var origins: [String: String] = [:]
        for source in sources {
            if let other = origins.updateValue(source.origin, forKey: source.name) {
                throw CheckpointError(
                    .mismatched, at: source.name, found: "both '\(other)' and '\(source.origin)'",
                    expected: "one tensor",
                    hint: "two rules lead to the same name")
            }
        }
        return sources
    }

    /// Applies the rules to tensors of different names; the results share their memory.
    public func apply(to stored: [StoredTensor]) throws(CheckpointError) -> [StoredTensor] {
        let sources = try apply(to: stored.map { ($0.name, $0.shape) })
        let origins = Dictionary(stored.map { ($0.name, $0) }) { first, _ in first }
        var tensors: [StoredTensor] = []
        for source in sources {
            guard let tensor = origins[source.origin] else { continue }
            var bytes = tensor.bytes
            if let rows = source.rows, let extent = tensor.shape.first, extent > 0 {
                let row = bytes.count / extent
                bytes = bytes[rows.lowerBound * row..<rows.upperBound * row]
            }
            tensors.append(StoredTensor(name: source.name, kind: tensor.kind, shape: source.shape, bytes: bytes))
        }
        return tensors
    }

    private static func apply(_ rule: Rule, _ source: Source) throws(CheckpointError) -> [Source] {
        var changed = source
        switch rule {
        case .dropPrefix(let prefix):
            if source.name.hasPrefix(prefix) { changed.name = String(source.name.dropFirst(prefix.count)) }
        case .addPrefix(let prefix): changed.name = prefix + source.name
        case .rename(let from, let to):
            if let captures = NamePattern(from).match(source.name) { changed.name = NamePattern(to).filled(captures) }
        case .splitQKV(let pattern, let query, let key, let value):
            guard let captures = NamePattern(pattern).match(source.name) else { break }
            return try thirds(source, [query, key, value].map { NamePattern($0).filled(captures) })
        case .ignore(let pattern):
            if NamePattern(pattern).match(source.name) != nil { return [] }
        }
        return [changed]
    }

    private static func thirds(_ source: Source, _ names: [String]) throws(CheckpointError) -> [Source] {
        guard let extent = source.shape.first, extent % 3 == 0, source.rows == nil else {
            throw CheckpointError(
                .mismatched, at: source.origin, found: "shape \(source.shape)",
                expected: "a first extent of three equal parts")
        }
        return names.enumerated().map { index, name in
            Source(
                origin: source.origin, name: name, shape: [extent / 3] + source.shape.dropFirst(),
                rows: extent / 3 * index..<extent / 3 * (index + 1))
        }
    }
}

/// A dotted name in which `*` stands for one part and `**` for any number of parts, none included.
package struct NamePattern: Sendable, Equatable {
    let parts: [Substring]

    package init(_ text: String) { parts = text.split(separator: ".", omittingEmptySubsequences: false) }

    var wildcards: Int { parts.count { $0 == "*" || $0 == "**" } }

    /// Parts of the name that the wildcards match, in order; nil where it does not fit.
    package func match(_ name: String) -> [[Substring]]? {
        Self.match(parts[...], name.split(separator: ".", omittingEmptySubsequences: false)[...])
    }

    /// The name with the wildcards replaced, in order.
    func filled(_ captures: [[Substring]]) -> String {
        var captures = captures[...]
        return parts.flatMap { $0 == "*" || $0 == "**" ? captures.popFirst() ?? [] : [$0] }.joined(separator: ".")
    }

    private static func match(_ pattern: ArraySlice<Substring>, _ name: ArraySlice<Substring>) -> [[Substring]]? {
        guard let first = pattern.first else { return name.isEmpty ? [] : nil }
        let rest = pattern.dropFirst()
        switch first {
        case "**":
            for count in 0...name.count {
                if let tail = match(rest, name.dropFirst(count)) { return [Array(name.prefix(count))] + tail }
            }
            return nil
        case "*":
            guard let part = name.first, let tail = match(rest, name.dropFirst()) else { return nil }
            return [[part]] + tail
        default:
            guard name.first == first else { return nil }
            return match(rest, name.dropFirst())
        }
    }
}
