public import Batches
import Kernels
import Models
public import Recipes

// What the `tokens` section of a recipe stands for in the modules that know no recipes.

extension Recipe {
    /// The records must be of the kind that the model is built for.
    func checkTokens(_ grid: TokenGrid, of place: String) throws(DataError) {
        guard let tokens else { return }
        let codebook = grid.codebook
        guard codebook.count <= tokens.codes else {
            throw DataError(
                place, found: "\(codebook.count) codes", expected: "at most the recipe's \(tokens.codes)",
                hint: "raise tokens.codes")
        }
        guard codebook.width == tokens.width else {
            throw DataError(
                place, found: "code vectors of \(codebook.width) numbers", expected: "the recipe's \(tokens.width)",
                hint: "set tokens.width, or take the token set that the recipe is made for")
        }
    }

    /// What a model is told about tokens.
    /// - Parameter grid: of the set; nil where a model is only planned.
    func tokenSpec(_ grid: TokenGrid?) -> TokenSpec? {
        tokens.map {
            TokenSpec(codes: $0.codes, width: $0.width, codebook: grid?.codebook.rows.array, stored: grid?.side)
        }
    }

    /// The records of a set as training sees them.
    /// - Parameter channels: 1 for ids, else those of code vectors: the last extent of the objective's input.
    func trainingTokens(_ grid: TokenGrid?, channels: Int) -> (any TokenTransform)? {
        evaluationTokens(grid, channels: channels)
    }

    /// Nothing drawn: the records of a set as evaluations see them.
    public func evaluationTokens(_ grid: TokenGrid?, channels: Int) -> (any TokenTransform)? {
        guard let tokens, let grid, tokens.size <= grid.side else { return nil }
        return CentreTokens(grid, side: tokens.size, embeds: channels > 1)
    }
}
