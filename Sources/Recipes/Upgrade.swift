/// A recipe of schema 1 with the keys of schema 2: the tree, and what has to change in the text it was read from.
package struct Upgrade {
    /// A piece of the text to be replaced. Lines and columns count from 1, columns in Unicode scalars.
    struct Edit: Hashable {
        let line, column: Int
        let old, new: String
        let kind: Kind

        enum Kind {
            case replace
            /// The key goes with its value.
            case remove
            /// The new text is a key with its value, and stands behind the old one.
            case insert
        }
    }

    package private(set) var node: RecipeNode
    private(set) var edits: [Edit] = []
    /// One line for each key that was renamed, with its place.
    package private(set) var changes: [String] = []
    /// The recipe that this one extends, in schema 2.
    private let parent: RecipeNode?

    /// - Parameters:
    ///   - parent: gives the other number of a pair of which this recipe has one.
    ///   - isSaved: a run that goes on does what it did, whatever the method.
    package init(_ node: RecipeNode, over parent: RecipeNode? = nil, isSaved: Bool = false) throws(RecipeError) {
        (self.node, self.parent) = (node, parent)
        self.node = try upgraded(node, at: "")
        stepLate(always: isSaved)
    }

    /// Steps come with an epoch's first update now. SimMIM's come one update late, as in its reference.
    private mutating func stepLate(always: Bool) {
        func value(_ path: String) -> String? { (node.value(at: path) ?? parent?.value(at: path))?.scalarText }
        guard !changes.isEmpty, value("schedule.form") == nil, let kind = node.value(at: "schedule")?.entry("kind"),
            let name = kind.value.scalarText, Schema1.late.kinds.contains(name)
        else { return }
        let form = Schema1.late.form
        guard always || value("objective.kind") == Schema1.late.objective else {
            changes.append(
                "\(kind.keyPlace): schedule: steps come with an epoch's first update now; "
                    + "`form: \(form)` keeps them late")
            return
        }
        let entry = RecipeNode.Entry(
            key: "form", keyPlace: .standard,
            value: RecipeNode(content: .scalar(form, isPlain: true), place: .standard))
        for index in node.entries.indices where node.entries[index].key == "schedule" {
            var entries = node.entries[index].value.entries
            entries.insert(entry, at: (entries.firstIndex { $0.key == "kind" } ?? 0) + 1)
            node.entries[index].value.entries = entries
        }
        edit(kind.keyPlace, kind.key, "form: \(form)", .insert)
        changes.append("\(kind.keyPlace): schedule: form: \(form), as before")
    }

    private mutating func upgraded(_ node: RecipeNode, at path: String) throws(RecipeError) -> RecipeNode {
        var result = node
        switch node.content {
        case .scalar: break
        case .list(let items):
            var upgraded: [RecipeNode] = []
            for item in items { upgraded.append(try self.upgraded(item, at: path + "[]")) }
            result.content = .list(upgraded)
        case .section(let entries):
            var upgraded: [RecipeNode.Entry] = []
            for entry in entries where !removed(entry, from: node, at: path) {
                guard let new = try self.upgraded(entry, of: node, at: path) else { continue }
                guard !upgraded.contains(where: { $0.key == new.key }) else {
                    throw RecipeError([Issue(entry.keyPlace, path, "'\(new.key)' is given too; keep one")])
                }
                upgraded.append(new)
            }
            result.content = .section(upgraded)
        }
        return result
    }

    private func rule(for entry: RecipeNode.Entry, of section: RecipeNode, at path: String) -> Schema1.Rule? {
        let kind = (section.entry("kind")?.value ?? parent?.value(at: path.appending(key: "kind")))?.scalarText
        return Schema1.rule(for: entry.key, in: path) { $0.kind == nil || $0.kind == kind }
    }

    /// A null goes where another key takes the same new name, as `channels: null` beside `grey: true`.
    private mutating func removed(_ entry: RecipeNode.Entry, from section: RecipeNode, at path: String) -> Bool {
        guard entry.value.isNull else { return false }
        let rule = rule(for: entry, of: section, at: path)
        if case .bound? = rule?.change { return false }
        let name = rule?.new ?? entry.key
        let same = section.entries.filter { (self.rule(for: $0, of: section, at: path)?.new ?? $0.key) == name }
        let isReplaced = same.contains { !$0.value.isNull } || same.first?.key != entry.key
        if isReplaced { edit(entry.keyPlace, entry.key, "", .remove) }
        return isReplaced
    }

    /// - Returns: nil for the second number of a pair, which the list of the first one holds.
    private mutating func upgraded(_ entry: RecipeNode.Entry, of section: RecipeNode, at path: String)
        throws(RecipeError) -> RecipeNode.Entry?
    {
        guard let rule = rule(for: entry, of: section, at: path) else {
            var same = entry
            same.value = try upgraded(entry.value, at: path.appending(key: entry.key))
            return same
        }
        if case .values(let values) = rule.change, rule.new == rule.old, values[entry.value.scalarText ?? ""] == nil {
            return entry
        }
        note(entry, rule, path)
        var value = entry.value
        switch rule.change {
        case .name: value = try upgraded(value, at: path.appending(key: rule.new))
        case .values(let values):
            guard case .scalar(let text, let isPlain) = value.content, let new = values[text] else { break }
            value.content = .scalar(new, isPlain: isPlain)
            edit(value.place, text, new)
        case .bound(_, let standards):
            guard let list = try pair(rule, standards, in: section, at: path) else {
                edit(entry.keyPlace, entry.key, "", .remove)
                return nil
            }
            edit(value.place, value.scalarText ?? "", Recipe.inline(list))
            value = list
        }
        if rule.new != rule.old { edit(entry.keyPlace, entry.key, rule.new) }
        return RecipeNode.Entry(key: rule.new, keyPlace: entry.keyPlace, value: value)
    }

    /// The list of which the rule's key is a number; nil if another key of the section has made it already.
    private func pair(_ rule: Schema1.Rule, _ standards: [String?], in section: RecipeNode, at path: String)
        throws(RecipeError) -> RecipeNode?
    {
        let inherited = parent?.value(at: path.appending(key: rule.new))
        let rules = section.entries.map { ($0, Schema1.rule(for: $0.key, in: path)) }
            .filter { $0.1?.new == rule.new }
        guard let first = rules.first, first.0.key == rule.old else { return nil }
        if rules.allSatisfy({ $0.0.value.isNull }) { return first.0.value }
        var items: [RecipeNode] = []
        for index in standards.indices {
            let own = rules.first { if case .bound(index, _)? = $0.1?.change { true } else { false } }?.0.value
            if let own, !own.isNull {
                items.append(own)
            } else if own == nil, case .list(let numbers)? = inherited?.content, numbers.indices.contains(index) {
                items.append(numbers[index])
            } else if let standard = standards[index] {
                items.append(RecipeNode(content: .scalar(standard, isPlain: true), place: .standard))
            } else {
                let problem =
                    "'\(rule.new)' is a list of two numbers, and the other stands neither here nor in the parent"
                throw RecipeError([Issue(first.0.keyPlace, path.appending(key: rule.old), problem)])
            }
        }
        return RecipeNode(content: .list(items), place: first.0.value.place)
    }

    private mutating func edit(_ place: Place, _ old: String, _ new: String, _ kind: Edit.Kind = .replace) {
        guard case .file(_, let line, let column) = place else { return }
        let edit = Edit(line: line, column: column, old: old, new: new, kind: kind)
        // What an alias repeats is written once.
        if !edits.contains(edit) { edits.append(edit) }
    }

    private mutating func note(_ entry: RecipeNode.Entry, _ rule: Schema1.Rule, _ path: String) {
        var change = "\(rule.old) -> \(rule.new)"
        if rule.new == rule.old, case .values(let values) = rule.change, let text = entry.value.scalarText {
            change = "\(rule.old): \(text) -> \(values[text] ?? text)"
        }
        let line = "\(entry.keyPlace): \(path.isEmpty ? "" : path + ": ")\(change)"
        if !changes.contains(line) { changes.append(line) }
    }
}

extension RecipeNode {
    fileprivate var scalarText: String? { if case .scalar(let text, _) = content { text } else { nil } }
}

extension Upgrade {
    /// The text with the new keys; comments, order and layout stay.
    /// - Parameter text: what the tree was read from.
    package func rewritten(_ text: String, file: String) throws(RecipeError) -> String {
        var lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).map { Array($0) }
        var emptied: Set<Int> = []
        // From the end, so that places before an edit hold.
        for edit in edits.sorted(by: { ($0.line, $0.column) > ($1.line, $1.column) }) {
            let (row, column) = (edit.line - 1, edit.column - 1)
            let (old, new) = (Array(edit.old.unicodeScalars), Array(edit.new.unicodeScalars))
            guard lines.indices.contains(row), let start = Self.place(of: old, in: lines[row], from: column) else {
                throw refusal(file, edit)
            }
            let value = Self.entry(in: lines[row], from: start)
            switch edit.kind {
            case .replace: lines[row].replaceSubrange(start..<start + old.count, with: new)
            case .remove:
                lines[row].removeSubrange(value.whole)
                if lines[row].allSatisfy({ $0 == " " }) { emptied.insert(row) }
            case .insert where value.isAlone:
                lines[row] += Array("\n\(String(repeating: " ", count: column))\(edit.new)".unicodeScalars)
            case .insert: lines[row].insert(contentsOf: Array(", \(edit.new)".unicodeScalars), at: value.end)
            }
        }
        let kept = lines.indices.filter { !emptied.contains($0) }.map { row in
            lines[row].reduce(into: "") { $0.unicodeScalars.append($1) }
        }
        let result = kept.joined(separator: "\n")
        let again = try? YAMLReader.read(result) { .file(file, line: $0, column: $1) }
        guard again.map(Recipe.inline) == Recipe.inline(node) else {
            throw RecipeError([Issue(.file(file, line: 0, column: 0), "", "cannot be rewritten line by line")])
        }
        return result
    }

    private func refusal(_ file: String, _ edit: Edit) -> RecipeError {
        let problem = "'\(edit.old)' cannot be rewritten where it stands; change it to '\(edit.new)' by hand"
        return RecipeError([Issue(.file(file, line: edit.line, column: edit.column), "", problem)])
    }

    /// Where the text begins, behind a quote if it has one.
    private static func place(of text: [Unicode.Scalar], in line: [Unicode.Scalar], from column: Int) -> Int? {
        let starts = [column, column + 1].filter { $0 + text.count <= line.count }
        return starts.first { Array(line[$0..<$0 + text.count]) == text }
    }

    /// A key with its plain value, which ends at `end`: alone in its line up to a comment, or between braces, where the
    /// comma that parts it from its neighbour belongs to the whole.
    private static func entry(in line: [Unicode.Scalar], from start: Int) -> (
        whole: Range<Int>, end: Int, isAlone: Bool
    ) {
        let stop = line.indices.dropFirst(start).first {
            line[$0] == "," || line[$0] == "}" || line[$0] == "#" && line[$0 - 1] == " "
        }
        guard let end = stop, line[end] != "#" else {
            return (start..<(stop ?? line.count), stop ?? line.count, true)
        }
        if line[end] == "," {
            return (start..<(line[(end + 1)...].firstIndex { $0 != " " } ?? line.count), end, false)
        }
        let before = line[..<start].lastIndex { $0 != " " && $0 != "," }.map { $0 + 1 } ?? start
        return (before..<end, end, false)
    }
}

extension Recipe {
    /// A file of schema 1 rewritten: its text with the new keys, and what was changed; nothing where it is up to date.
    public static func upgraded(
        _ path: String, read: ReadFile
    ) throws(RecipeError) -> (text: String, changes: [String]) {
        let file = try RecipeText(path, read: read)
        var parent: RecipeNode?
        if let above = try file.parent() { parent = try tree(above, read: read, upgrading: true) }
        let upgrade = try Upgrade(file.node, over: parent)
        return (try upgrade.rewritten(file.text, file: path), upgrade.changes)
    }
}
