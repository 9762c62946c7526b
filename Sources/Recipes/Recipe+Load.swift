extension Recipe {
    /// Fetches at most `limit` bytes of a file; this module opens none itself.
    public typealias ReadFile = (_ path: String, _ limit: Int) throws -> [UInt8]

    /// A file longer than this is refused: ask for one byte more to see that it is.
    public static let largestBytes = TextGuard.largestBytes

    /// Reads a recipe with its parents and `--set` overrides (`a.b=value`), and checks all of it.
    /// - Parameter isSaved: the program wrote it into a run: keys of an older schema are known as well.
    public static func load(
        _ path: String, overrides: [String] = [], isSaved: Bool = false, catalogue: Catalogue, read: ReadFile
    ) throws(RecipeError) -> Recipe {
        var root = try tree(path, read: read, upgrading: false)
        if isSaved { root = try root.upgradedIfSaved() }
        let report = Report()
        for text in overrides { Self.override(&root, with: text, report) }
        try refuseSchema1(root, path)
        let reader = ValueReader(report: report, root: root, catalogue: catalogue)
        var recipe = try? reader.value(Recipe.self, root, path: "")
        recipe?.parts = report.state.parts
        if let recipe {
            let here = Here(report: report, root: root, path: "")
            recipe.checkWhole(here)
            for rule in report.state.rules { rule(recipe) }
            if report.issues.isEmpty { for rule in catalogue.rules { rule(recipe, here) } }
        }
        guard report.issues.isEmpty, recipe != nil else { throw RecipeError(report.issues) }
        for (path, value) in report.state.defaults { root.add(value, at: path.split(separator: ".")[...]) }
        recipe?.resolved = root
        guard let recipe else { throw RecipeError(report.issues) }
        return recipe
    }

    /// One error in place of one for each old key.
    private static func refuseSchema1(_ root: RecipeNode, _ path: String) throws(RecipeError) {
        guard let schema = root.entry("schema")?.value, schema.content == .scalar("1", isPlain: true) else { return }
        var files = [path]
        if case .file(let file, _, _) = schema.place, file != path { files.append(file) }
        throw RecipeError([
            Issue(
                schema.place, "schema",
                "schema 1 has other keys; run `lacuna recipe upgrade \(files.joined(separator: " "))`")
        ])
    }

    /// The text of one file laid over its parent's.
    /// - Parameter upgrading: files of schema 1 are read as what they would be in schema 2.
    static func tree(
        _ path: String, after chain: [String] = [], read: ReadFile, upgrading: Bool
    ) throws(RecipeError) -> RecipeNode {
        let file = try RecipeText(path, read: read)
        var node = file.node
        node.entries.removeAll { $0.key == "extends" }
        guard let parent = try file.parent(), let place = file.node.entry("extends")?.keyPlace else {
            return upgrading ? try Upgrade(node).node : node
        }
        let visited = chain + [path.plainPath]
        if visited.contains(parent) {
            let circle = (visited + [parent]).joined(separator: " -> ")
            throw RecipeError([Issue(place, "extends", "the recipes extend each other in a circle: \(circle)")])
        }
        let above: RecipeNode
        do {
            above = try tree(parent, after: visited, read: read, upgrading: upgrading)
        } catch {
            // A parent that cannot be read is a fault of the line that names it.
            let issues = error.issues.map { issue in
                issue.place == .file(parent, line: 0, column: 0) ? Issue(place, "extends", issue.problem) : issue
            }
            throw RecipeError(issues)
        }
        return above.merged(with: upgrading ? try Upgrade(node, over: above).node : node)
    }

    /// Lays `a.b=value` over the tree. The value is YAML: `--set schedule.milestones_epochs=[10,20]`.
    private static func override(_ root: inout RecipeNode, with text: String, _ report: Report) {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let key = String(parts[0])
        let names = key.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, names.allSatisfy({ !$0.isEmpty }) else {
            report.add(Issue(.override(text), "", "key=value expected, as in --set schedule.epochs=100"))
            return
        }
        do {
            let value = Array(parts[1].utf8)
            let checked = try TextGuard.text(value, file: "").get()
            let node = try YAMLReader.read(checked) { _, _ in .override(key) }
            let change = names.reversed().reduce(node) { inner, name in
                let entry = RecipeNode.Entry(key: name, keyPlace: .override(key), value: inner)
                return RecipeNode(content: .section([entry]), place: .override(key))
            }
            root = root.merged(with: change)
        } catch {
            for issue in error.issues { report.add(Issue(.override(key), issue.path, issue.problem)) }
        }
    }
}

extension String {
    /// Everything up to the last slash.
    fileprivate var folder: String { lastIndex(of: "/").map { String(self[...$0]) } ?? "" }

    /// Without `.` and `a/..`, so that one file has one name.
    fileprivate var plainPath: String {
        var parts: [Substring] = []
        for part in split(separator: "/") where part != "." {
            if part == "..", let last = parts.last, last != ".." { parts.removeLast() } else { parts.append(part) }
        }
        return (hasPrefix("/") ? "/" : "") + parts.joined(separator: "/")
    }
}

/// One file as it was read.
struct RecipeText {
    let path: String
    let text: String
    /// With the entry `extends`, if it has one.
    let node: RecipeNode

    init(_ path: String, read: Recipe.ReadFile) throws(RecipeError) {
        let bytes: [UInt8]
        do {
            bytes = try read(path, Recipe.largestBytes + 1)
        } catch {
            throw RecipeError([Issue(.file(path, line: 0, column: 0), "", "\(error)")])
        }
        self.path = path
        text = try TextGuard.text(bytes, file: path).get()
        node = try YAMLReader.read(text) { .file(path, line: $0, column: $1) }
        guard case .section = node.content else {
            throw RecipeError([Issue(node.place, "", "a section of keys expected, found \(node.found)")])
        }
    }

    /// The file that this one extends.
    func parent() throws(RecipeError) -> String? {
        guard let entry = node.entry("extends") else { return nil }
        guard case .scalar(let name, _) = entry.value.content, !name.isEmpty, !entry.value.isNull else {
            throw RecipeError([Issue(entry.value.place, "extends", "one file expected, found \(entry.value.found)")])
        }
        return (name.hasPrefix("/") ? name : path.folder + name).plainPath
    }
}

extension RecipeNode {
    /// A recipe that the program wrote, with the keys of today.
    package func upgradedIfSaved() throws(RecipeError) -> RecipeNode {
        entry("schema")?.value.content == .scalar("1", isPlain: true) ? try Upgrade(self, isSaved: true).node : self
    }
}
