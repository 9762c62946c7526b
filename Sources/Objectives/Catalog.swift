/// Every method that a recipe can name: one entry per file of this folder.
public enum Catalog {
    public static var objectives: [any Objective.Type] { [Classification.self, SimMIM.self] }

    /// The method that a recipe calls `kind`; nil where there is none.
    public static func objective(_ kind: String) -> (any Objective.Type)? {
        objectives.first { $0.kind == kind }
    }
}
