public import Kernels
public import Recipes

/// Easy data augmentation on the ids of a grid: synonyms in some places, or two blocks exchanged, or nothing.
/// Source: arXiv 2303.11114, code naver-ai/seit.
public struct TokenEdit: RecipePart, Sendable, Equatable {
    public static let key = "tokens.edit"
    public static let meaning = "Token-EDA: ids replaced by similar ones, or blocks exchanged; absent: not."

    public struct Settings: RecipeSection {
        public let synonyms, swap: Double

        public static let meanings = [
            "synonyms": "Probability that a quarter of the ids take one of the five nearest codes, 0 to 1.",
            "swap": "Probability that two blocks of up to a quarter of the side change places, 0 to 1.",
        ]

        public func check(_ here: Here) { here.requireShares(["synonyms": synonyms, "swap": swap]) }
    }

    public static func check(_ settings: Settings, _ recipe: Recipe, _ here: Here) {
        let codes = recipe.tokens?.codebookSize ?? 0
        here.require(
            codes > neighbours, at: "codebook_size", reading: ["edit"],
            "6 or more expected, found \(codes): edit takes one of the five nearest other codes")
    }

    public init(_ settings: Settings) { self.init(synonyms: settings.synonyms, swap: settings.swap) }

    /// Probability of synonyms and of an exchange, together at most 1.
    public let synonyms, swap: Double
    /// Probability that a place takes a synonym.
    public static let replacement = 0.25
    /// Greatest side of an exchanged block, as a share of the grid's.
    public static let blockShare = 0.25
    /// Synonyms of a code: the nearest ones.
    public static let neighbours = 5

    public init(synonyms: Double, swap: Double) { (self.synonyms, self.swap) = (synonyms, swap) }

    /// - Parameters:
    ///   - ids: (n, n).
    ///   - table: `neighbours` synonyms of each code.
    ///   - scratch: as many ids.
    public func apply(_ ids: Indices, side: Int, synonyms table: Indices, scratch: Indices, _ key: SampleKey) {
        var random = key.stream(.tokenEdit)
        let choice = random.uniform()
        if choice < synonyms {
            Self.replace(ids, synonyms: table) { _ in
                random.uniform() < Self.replacement ? random.below(Self.neighbours) : nil
            }
        } else if choice < synonyms + swap {
            let block = Int(Double(side) * random.uniform() * Self.blockShare)
            guard let places = Self.places(of: block, side: side, &random) else { return }
            Self.exchange(ids, side: side, block: block, places.0, places.1, scratch: scratch)
        }
    }

    /// - Parameter pick: the number of the synonym that a place takes, or none.
    public static func replace(_ ids: Indices, synonyms table: Indices, pick: (Int) -> Int?) {
        for place in 0..<ids.count {
            if let pick = pick(place) { ids[place] = table[Int(ids[place]) * neighbours + pick] }
        }
    }

    /// Two blocks of the grid change places; where they overlap the second one wins.
    public static func exchange(
        _ ids: Indices, side: Int, block: Int, _ first: (row: Int, column: Int), _ second: (row: Int, column: Int),
        scratch: Indices
    ) {
        let before = scratch[0..<ids.count]
        before.copy(from: ids)
        for (to, from) in [(first, second), (second, first)] {
            for row in 0..<block {
                let target = (to.row + row) * side + to.column, source = (from.row + row) * side + from.column
                ids[target..<target + block].copy(from: before[source..<source + block])
            }
        }
    }

    /// Corners further apart than the block's side; nil where the grid is too small for two.
    private static func places(
        of block: Int, side: Int, _ random: inout RandomStream
    ) -> ((row: Int, column: Int), (row: Int, column: Int))? {
        for _ in 0..<1000 {
            let (a, b) = (random.below(side - block), random.below(side - block))
            let (c, d) = (random.below(side - block), random.below(side - block))
            if (a - c) * (a - c) + (b - d) * (b - d) > block * block { return ((a, b), (c, d)) }
        }
        return nil
    }
}
