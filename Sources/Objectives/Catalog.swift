public import Autodiff
public import Models
public import Recipes

/// Every method and model that a recipe can name: one entry each.
public enum Catalog {
    private static var objectives: [any Objective.Type] {
        [
            SimMIM.self, CRATEMAE.self, SparK.self, MaskedTokens.self, TokenAdaptation.self, Classification.self,
            VQTokenizer.self,
        ]
    }
    private static var models: [any EncoderSection.Type] {
        [
            VisionTransformerSection.self, SwinTransformerSection.self, CRATESection.self, MaskedCRATESection.self,
            ResNetSection.self, CIFARResNetSection.self, ConvNeXtSection.self, ConvnetSection.self,
            FullyConnectedSection.self, TokenizerSection.self, TokenTransformerSection.self,
        ]
    }

    /// What `recipe check` needs to know of each kind.
    public static var kinds: Catalogue {
        var kinds = Catalogue.sources
        for method in objectives { kinds.objectives[method.kind] = entry(method) }
        for model in models { kinds.models[model.kind] = entry(model) }
        return kinds
    }

    /// The method of a checked recipe with its model, declared in `scope`.
    public static func objective(_ recipe: Recipe, _ scope: Scope, _ input: InputSpec) throws -> any Objective {
        try make(method(of: recipe), recipe, encoder(of: recipe), scope, input)
    }

    /// The method that a checked recipe names.
    public static func method(of recipe: Recipe) -> any Objective.Type {
        let kind = recipe.objective.kind
        guard let method = objectives.first(where: { $0.kind == kind }) else {
            preconditionFailure("a checked recipe names no method '\(kind)'")
        }
        return method
    }

    /// The shape of the encoder in a checked recipe.
    public static func encoder(of recipe: Recipe) throws -> any EncoderSettings {
        let kind = recipe.model.kind
        guard let model = models.first(where: { $0.kind == kind }) else {
            preconditionFailure("a checked recipe names no model '\(kind)'")
        }
        return try decode(model, recipe.model)
    }

    private static func make<Method: Objective>(
        _ method: Method.Type, _ recipe: Recipe, _ model: any EncoderSettings, _ scope: Scope, _ input: InputSpec
    ) throws -> any Objective {
        try Method(recipe.objective.decode(Method.Settings.self), model, scope, input)
    }

    private static func decode<Model: EncoderSection>(_ model: Model.Type, _ section: Section) throws
        -> any EncoderSettings
    { try section.decode(Model.self).encoder }

    private static func entry<Method: Objective>(_ method: Method.Type) -> Catalogue.Kind {
        .init(Method.Settings.self) { settings, recipe, here in
            here.recipe.require(
                recipe.kind == Method.phase, at: "objective.kind", reading: ["kind"],
                "'\(Method.kind)' belongs to recipes of kind '\(Method.phase.rawValue)'")
            Method.check(settings, recipe, here)
        }
    }

    private static func entry<Model: EncoderSection>(_ model: Model.Type) -> Catalogue.Kind {
        .init(Model.self, rules: Model.check)
    }
}
