public import Autodiff
import Models
public import Recipes

/// Every method and model that a recipe can name: one entry each.
public enum Catalog {
    /// What `recipe check` needs to know of each kind.
    public static var kinds: Catalogue {
        var kinds = Catalogue.sources
        kinds.objectives = [SimMIM.kind: .init(SimMIM.Settings.self, rules: SimMIM.Settings.check)]
        kinds.models = ["vit": .init(VisionTransformerSection.self, rules: VisionTransformerSection.check)]
        return kinds
    }

    private static var objectives: [any Objective.Type] { [SimMIM.self] }

    /// The method of a checked recipe with its model, declared in `scope`.
    public static func objective(_ recipe: Recipe, _ scope: Scope, _ input: InputSpec) throws -> any Objective {
        let model = ModelSettings.visionTransformer(try recipe.model.decode(VisionTransformerSection.self).settings)
        guard let method = objectives.first(where: { $0.kind == recipe.objective.kind }) else {
            preconditionFailure("a checked recipe names no method '\(recipe.objective.kind)'")
        }
        return try make(method, recipe, model, scope, input)
    }

    private static func make<Method: Objective>(
        _ method: Method.Type, _ recipe: Recipe, _ model: ModelSettings, _ scope: Scope, _ input: InputSpec
    ) throws -> any Objective {
        try Method(recipe.objective.decode(Method.Settings.self), model, scope, input)
    }
}
