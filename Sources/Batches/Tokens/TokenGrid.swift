public import Kernels
import Recipes

/// The form of a token set's records: square grids of ids, row-major, with the codebook that gives them a meaning.
public struct TokenGrid: Sendable {
    /// n: ids along a side.
    public let side: Int
    public let codebook: Codebook
    private let ownSynonyms: Indices?

    /// - Parameter synonyms: (K, `TokenEdit.neighbours`), where a set brings them along.
    public init(side: Int, _ codebook: Codebook, synonyms: Indices? = nil) {
        (self.side, self.codebook, ownSynonyms) = (side, codebook, synonyms)
    }

    /// The codes that may stand for each code, (K, `TokenEdit.neighbours`), nearest first: those of the set, else looked for
    /// in the codebook.
    public var synonyms: Indices { ownSynonyms ?? codebook.synonyms(TokenEdit.neighbours) }

    /// Ids of one record.
    public var count: Int { side * side }
}

extension SampleSource {
    /// An id means the same in both sets, or it is an error: every tokenizer numbers its codes anew.
    public func checkTokens(agreeWith other: any SampleSource) throws(DataError) {
        let place = "\(name) and \(other.name)"
        switch (tokens, other.tokens) {
        case (nil, nil): return
        case (let mine?, let theirs?):
            guard mine.codebook.hash == theirs.codebook.hash else {
                throw DataError(
                    place, found: "two codebooks, of \(mine.codebook.count) and \(theirs.codebook.count) codes",
                    expected: "one",
                    hint: "tokenize both sets with one tokenizer, the second with --codebook of the first")
            }
            guard mine.side == theirs.side else {
                throw DataError(
                    place, found: "grids of \(mine.side) and of \(theirs.side) tokens a side", expected: "the same")
            }
        case (nil, _?), (_?, nil): throw DataError(place, found: "images and tokens", expected: "one of them")
        }
    }
}

extension Recipe {
    /// The records must be of the kind that the model is built for.
    func checkTokens(_ grid: TokenGrid, of place: String) throws(DataError) {
        guard let tokens else { return }
        let codebook = grid.codebook
        guard codebook.count <= tokens.codebookSize else {
            throw DataError(
                place, found: "\(codebook.count) codes", expected: "at most the recipe's \(tokens.codebookSize)",
                hint: "raise tokens.codebook_size")
        }
        guard codebook.width == tokens.codeDim else {
            throw DataError(
                place, found: "code vectors of \(codebook.width) numbers", expected: "the recipe's \(tokens.codeDim)",
                hint: "set tokens.code_dim, or take the token set that the recipe is made for")
        }
        guard tokens.size <= grid.side else {
            throw DataError(
                place, found: "grids of \(grid.side) tokens a side", expected: "at least tokens.size \(tokens.size)",
                hint: "lower tokens.size, or take a set with larger grids")
        }
        guard !has(TokenEdit.key) || codebook.count > TokenEdit.neighbours else {
            throw DataError(
                place, found: "\(codebook.count) codes", expected: "more than \(TokenEdit.neighbours)",
                hint: "tokens.edit takes one of the \(TokenEdit.neighbours) nearest other codes: leave it out")
        }
    }
}
