/// Turns nodes into values, whatever their type, and goes on after an error with a stand-in: one run finds everything.
struct ValueReader {
    let report: Report
    /// The whole recipe: rules look up places in it.
    let root: RecipeNode
    let catalogue: Catalogue

    /// A type threw an error of its own, already reported; its owner cannot be built.
    struct Stopped: Error {}

    /// The value of a node. No node: an error is reported already and a stand-in is wanted.
    func value<T: Decodable>(_ type: T.Type, _ node: RecipeNode?, path: String, ignoring: Set<String> = []) throws -> T
    {
        if let scalar = type as? any Scalar.Type {
            guard let value = self.scalar(scalar, node, path: path) as? T else { throw Stopped() }
            return value
        }
        if let choice = type as? any Choice.Type {
            guard let value = self.choice(choice, node, path: path) as? T else { throw Stopped() }
            return value
        }
        if type == Section.self {
            let section = section(node, path: path)
            _ = parts(of: section, sharing: Nothing.self)
            guard let value = section as? T else { throw Stopped() }
            return value
        }
        if let open = type as? any AnyOpenSection.Type {
            guard let value = open.read(self, node, path: path) as? T else { throw Stopped() }
            return value
        }
        return try structure(type, node, path: path, ignoring: ignoring)
    }

    func report(_ node: RecipeNode, _ path: String, expected: String, suggestion: String? = nil) {
        var problem = "\(expected) expected, found \(node.found)"
        if node.isNull { problem += ", which has no meaning here; leave the key out" }
        if expected.contains("number"), let hint = PlainNumber.hint(for: node) { problem += "; \(hint)" }
        report.add(Issue(node.place, path, problem, suggestion: suggestion), spoiling: path)
    }

    private func scalar<S: Scalar>(_ type: S.Type, _ node: RecipeNode?, path: String) -> S {
        guard let node else { return S.standIn }
        if case .scalar(let text, let isPlain) = node.content, !node.isNull, let value = S(text: text, isPlain: isPlain)
        {
            return value
        }
        report(node, path, expected: S.expected)
        return S.standIn
    }

    /// A misspelt choice with a near neighbour is read as that one: the keys which depend on it are judged as meant.
    private func choice<C: Choice>(_ type: C.Type, _ node: RecipeNode?, path: String) -> C? {
        guard let node else { return C.allCases.first }
        guard case .scalar(let text, _) = node.content else {
            report(node, path, expected: "one of \(C.names.joined(separator: ", "))")
            return C.allCases.first
        }
        if let value = C(rawValue: text) { return value }
        if let rule = Schema1.rule(for: "kind", in: path.sectionAndKey.section), case .values(let values) = rule.change,
            let new = values[text].flatMap({ C(rawValue: $0) })
        {
            report.add(Issue(node.place, path, "`\(text)` is called `\(new.rawValue)` since schema 2"), spoiling: path)
            return new
        }
        let nearest = Spelling.nearest(to: text, among: C.names)
        report(node, path, expected: "one of \(C.names.joined(separator: ", "))", suggestion: nearest)
        return nearest.flatMap { C(rawValue: $0) } ?? C.allCases.first
    }

    func section(_ node: RecipeNode?, path: String) -> Section {
        guard let node else { return Section(kind: "", node: nil, path: path) }
        guard case .section(let entries) = node.content else {
            report(node, path, expected: "a section")
            return Section(kind: "", node: nil, path: path)
        }
        guard let kind = node.entry("kind") else {
            if let misspelt = Spelling.nearest(to: "kind", among: entries.map(\.key)), let entry = node.entry(misspelt)
            {
                report.add(
                    Issue(entry.keyPlace, path, "unknown key '\(misspelt)'", suggestion: "kind"),
                    spoiling: path.appending(key: "kind"))
            } else {
                report.add(Issue(node.place, path, "missing key 'kind'"), spoiling: path.appending(key: "kind"))
            }
            return Section(kind: "", node: nil, path: path)
        }
        let name = scalar(String.self, kind.value, path: path.appending(key: "kind"))
        return Section(kind: name, node: name.isEmpty ? nil : node, path: path)
    }

    private func structure<T: Decodable>(
        _ type: T.Type, _ node: RecipeNode?, path: String, ignoring: Set<String>
    ) throws -> T {
        let owner = type as? any RecipeSection.Type
        let before = report.state
        let ledger = KeyLedger(renames: [:])
        var value = try build(type, node, path, ledger, owner)
        guard let node, case .section(let entries) = node.content, ledger.isKeyed else { return value }
        if ledger.isUnclear { return unclear(value, node, entries, path, before, ledger) }
        let free = entries.filter { !ledger.knows($0.key) && !ignoring.contains($0.key) }
        let parts = readParts(free, at: path)
        let unknown = free.filter { !parts.contains($0.key) }
        let old = ledger.oldNames(unknown, path, parts: Set(catalogue.parts[path]?.keys.map(\.self) ?? []))
        let renames = ledger.renames(for: unknown.map(\.key), old)
        readParts(old, unknown, at: path)
        var missing = ledger.missing
        if !renames.isEmpty {
            // Read again with the misspelt keys understood: what stands under them may be wrong as well.
            report.state = before
            let second = KeyLedger(renames: renames)
            value = try build(type, node, path, second, owner)
            _ = readParts(free, at: path)
            readParts(old, unknown, at: path)
            missing = second.missing
        }
        for entry in unknown {
            if let rule = old[entry.key] {
                report.add(Issue(entry.keyPlace, path, rule.text), spoiling: path.appending(key: rule.new))
                missing.removeAll { $0 == rule.new }
                continue
            }
            let suggestion =
                renames.first { $0.value == entry.key }?.key
                ?? Spelling.nearest(to: entry.key, among: ledger.asked.filter { node.entry($0) == nil })
                ?? Spelling.nearest(to: entry.key, among: catalogue.parts[path]?.keys.sorted() ?? [])
                ?? Spelling.nearest(to: entry.key, among: ledger.asked)
            report.add(Issue(entry.keyPlace, path, "unknown key '\(entry.key)'", suggestion: suggestion))
        }
        for key in missing where !ignoring.contains(key) {
            report.add(Issue(node.place, path, "missing key '\(key)'"), spoiling: path.appending(key: key))
        }
        (value as? any RecipeSection)?.check(Here(report: report, root: root, path: path))
        return value
    }

    /// Without its kind a section cannot be judged: the one error about the kind replaces those that follow from it.
    private func unclear<T>(
        _ value: T, _ node: RecipeNode, _ entries: [RecipeNode.Entry], _ path: String, _ before: Report.State,
        _ ledger: KeyLedger
    ) -> T {
        let kind = path.appending(key: "kind")
        let issue = report.state.issues.dropFirst(before.issues.count).first { $0.path == kind }
        report.state = before
        if let issue {
            report.add(issue, spoiling: path)
        } else {
            let free = entries.filter { !ledger.knows($0.key) }
            let misspelt = Spelling.nearest(to: "kind", among: free.map(\.key)).flatMap { node.entry($0) }
            let problem = misspelt.map { "unknown key '\($0.key)'" } ?? "missing key 'kind'"
            report.add(
                Issue(misspelt?.keyPlace ?? node.place, path, problem, suggestion: misspelt.map { _ in "kind" }),
                spoiling: path)
        }
        return value
    }

    private func build<T: Decodable>(
        _ type: T.Type, _ node: RecipeNode?, _ path: String, _ ledger: KeyLedger, _ owner: (any RecipeSection.Type)?
    ) throws -> T {
        do {
            return try T(from: NodeDecoder(reader: self, node: node, path: path, ledger: ledger, owner: owner))
        } catch let error as Stopped {
            throw error
        } catch {
            var problem = "\(error)"
            if case .dataCorrupted(let context)? = error as? DecodingError { problem = context.debugDescription }
            if let node { report.add(Issue(node.place, path, problem), spoiling: path) }
            throw Stopped()
        }
    }
}

/// A value out of a few names: any enum of strings whose cases are listed.
typealias Choice = CaseIterable & Decodable & RawRepresentable<String>

extension CaseIterable where Self: RawRepresentable<String> {
    static var names: [String] { allCases.map(\.rawValue) }
}
