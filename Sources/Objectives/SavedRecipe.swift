public import Checkpoints
public import Recipes

extension Recipe {
    /// The recipe that a checkpoint was trained by.
    /// - Parameter overrides: `a.b=value`, laid over it.
    public static func load(from checkpoint: Checkpoints.Checkpoint, overrides: [String] = []) throws -> Recipe {
        let name = "resolved.yaml"
        guard let text = try checkpoint.attachment(name) else {
            throw CheckpointError(
                .mismatched, at: checkpoint.path, found: "no \(name)", expected: "the recipe of its run",
                hint: "it was written by another program")
        }
        return try load(checkpoint.path + "/" + name, overrides: overrides, catalogue: Catalog.kinds) { _, _ in text }
    }
}
