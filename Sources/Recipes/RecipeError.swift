import Messages

/// Where a value of a recipe was written.
public enum Place: Sendable, Equatable, CustomStringConvertible {
    case file(String, line: Int, column: Int)
    /// The dotted key of a `--set key=value`.
    case override(String)
    /// The default which the section itself declares.
    case standard

    public var description: String {
        switch self {
        case .file(let path, let line, _): line > 0 ? "\(path):\(line)" : path
        case .override(let key): "--set \(key)"
        case .standard: "default"
        }
    }
}

/// One thing wrong with a recipe: place, key, what was found and expected, and the nearest valid name if there is one.
public struct Issue: Sendable, Equatable, CustomStringConvertible {
    public let place: Place
    /// Dotted path of the value, empty for the whole file.
    public let path: String
    public let problem: String
    /// The known name nearest to a misspelt one.
    public let suggestion: String?

    public init(_ place: Place, _ path: String, _ problem: String, suggestion: String? = nil) {
        self.place = place
        self.path = path
        self.problem = problem
        self.suggestion = suggestion
    }

    public var description: String {
        var text = "\(place): "
        if !path.isEmpty, place != .override(path) { text += "\(path): " }
        text += problem
        if let suggestion { text += "; did you mean '\(suggestion)'?" }
        return text
    }
}

/// Everything wrong with a recipe, found in one run, in the order of the lines.
public struct RecipeError: Error, CustomStringConvertible {
    public let issues: [Issue]

    public init(_ issues: [Issue]) {
        self.issues = issues
    }

    public var description: String { issues.map(\.description).joined(separator: "\n") }

    /// The same list for editors: an array of objects with file, line, column, path, problem and suggestion.
    public var json: String {
        let items = issues.map { issue in
            var fields: JSON.Members = [:]
            switch issue.place {
            case .file(let path, let line, let column):
                (fields["file"], fields["line"], fields["column"]) = (.string(path), .integer(line), .integer(column))
            case .override(let key): fields["override"] = .string(key)
            case .standard: break
            }
            (fields["path"], fields["problem"]) = (.string(issue.path), .string(issue.problem))
            fields["suggestion"] = issue.suggestion.map(JSON.string)
            return JSON.object(fields)
        }
        return JSON.array(items).text
    }
}
