/// Collects what is wrong with one recipe while the decoder goes on.
public final class Report {
    /// All that can be taken back when a section is read a second time with a misspelt key understood.
    struct State {
        var issues: [Issue] = []
        /// Paths whose value could not be read: a rule that needs one is not asked.
        var unsound: [String] = []
        /// Defaults that were used, to be shown in the resolved recipe.
        var defaults: [(path: String, value: RecipeNode)] = []
        /// Settings of the parts, by dotted path.
        var parts: [String: any Sendable] = [:]
        /// Rules that need the whole recipe.
        var rules: [(Recipe) -> Void] = []
    }

    var state = State()

    init() {}

    /// The issues so far, in the order of lines; overrides come after the files.
    var issues: [Issue] {
        func rank(_ issue: Issue) -> (Int, String, Int, Int) {
            switch issue.place {
            case .file(let path, let line, let column): (0, path, line, column)
            case .override(let key): (1, key, 0, 0)
            case .standard: (2, "", 0, 0)
            }
        }
        return state.issues.enumerated()
            .sorted {
                rank($0.element) == rank($1.element) ? $0.offset < $1.offset : rank($0.element) < rank($1.element)
            }
            .map(\.element)
    }

    func add(_ issue: Issue, spoiling path: String? = nil) {
        if !state.issues.contains(issue) { state.issues.append(issue) }
        if let path { state.unsound.append(path) }
    }

    /// True if nothing at, above or below the path was refused.
    func isSound(_ path: String) -> Bool {
        !state.unsound.contains { $0.isEmpty || path.isEmpty || $0.covers(path) || path.covers($0) }
    }
}

extension String {
    /// True for the same path and for those below it.
    fileprivate func covers(_ path: String) -> Bool {
        guard path.hasPrefix(self) else { return false }
        let rest = path.dropFirst(count)
        return rest.isEmpty || rest.hasPrefix(".") || rest.hasPrefix("[")
    }
}
