public import Recipes

/// The model section of a recipe: `kind` names the encoder, the other keys are its settings.
public protocol EncoderSection: RecipeSection {
    /// The encoder's name in a recipe.
    static var kind: String { get }
    var encoder: any EncoderSettings { get }
    /// Rules with the rest of the recipe.
    static func check(_ section: Self, _ recipe: Recipe, _ here: Here)
}

extension EncoderSection {
    public static func check(_ section: Self, _ recipe: Recipe, _ here: Here) {}
}
