public import Messages
import Platform
public import Recipes

/// A kind of data set that a recipe can name under `data`: one file owns its keys, its checks and the reading.
public protocol DataSource: SampleSource {
    associatedtype Settings: RecipeSection
    /// The set's name in a recipe.
    static var kind: String { get }
    /// The classes that asymmetric label noise takes for one another where a recipe names none; nil where no publication
    /// does so.
    static var similarClasses: SimilarClasses? { get }
    init(_ settings: Settings, _ context: SourceContext) throws(DataError)
}

/// The surroundings in which a set is opened.
public struct SourceContext: Sendable {
    /// The whole recipe that names the set.
    public let recipe: Recipe
    /// Bad files of a folder beyond which it is refused.
    public let tolerance: Tolerance

    public init(_ recipe: Recipe, tolerance: Tolerance = Tolerance()) {
        (self.recipe, self.tolerance) = (recipe, tolerance)
    }
}

extension DataSource {
    public static var similarClasses: SimilarClasses? { nil }

    /// Opens a set. Where its files are missing, the error says how to get them.
    public static func open(_ settings: Settings, _ context: SourceContext) throws(DataError) -> any SampleSource {
        do {
            return try Self(settings, context)
        } catch {
            guard let refusal = error.refusal, refusal.isMissing else { throw error }
            throw DataError(refusal, hint: hint(missing: error.place, error.hint))
        }
    }

    private static func hint(missing path: String, _ known: String) -> String {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        let data = parts.indices.dropFirst(2).first { parts[$0] == "data" && parts[$0 - 2] == "Datasets" }
        guard let data else {
            return known.isEmpty ? "paths in a recipe start at the folder where lacuna is started" : known
        }
        let hint = "run \(parts[..<data].joined(separator: "/"))/prepare, or start where Datasets lies"
        return known.contains("prepare") || known.isEmpty ? hint : "\(hint); \(known)"
    }
}

/// Settings of a set that is one folder or file with a training and a test part.
public struct SplitSettings: RecipeSection {
    public let path: String
    public let split: Split

    public static let meanings = [
        "path": "Folder or file of the set, as its page in Datasets says.",
        "split": "The training or the test part.",
    ]
}
