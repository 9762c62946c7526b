public import Checkpoints
public import Recipes

extension Recipe {
    /// The recipe that a checkpoint was trained by, with the keys of today.
    /// - Parameter overrides: `a.b=value`, laid over it.
    public static func load(from checkpoint: Checkpoint, overrides: [String] = []) throws -> Recipe {
        let name = "resolved.yaml"
        guard let text = try checkpoint.attachment(name) else {
            throw CheckpointError(
                .mismatched, at: checkpoint.path, found: "no \(name)", expected: "the recipe of its run",
                hint: "it was written by another program")
        }
        return try load(
            checkpoint.path + "/" + name, overrides: overrides, isSaved: true, catalogue: Catalog.kinds
        ) { _, _ in text }
    }

    /// Every key of the recipe that a checkpoint was trained by and its value; of an older schema under the names of today.
    public static func keys(of checkpoint: Checkpoint) throws -> [String: String] {
        let state = checkpoint.state.recipe
        return state["schema"] == "\(currentSchema)" ? state : try load(from: checkpoint).keys
    }
}
