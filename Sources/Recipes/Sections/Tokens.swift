extension Recipe {
    /// Who goes with whom where samples are paired.
    public enum Partner: String, CaseIterable, Decodable, Sendable {
        /// 2i and 2i + 1; wants an even batch.
        case neighbour
        /// i and B - 1 - i of the micro-batch, as the references do it; depends on the number of ranks.
        /// In an odd batch, i and B - 2 - i, the last with the first: SparK puts a copy of the first in front, here
        /// that copy is left out again so that the batch keeps its size.
        case mirror
    }

    /// How a record of a token set becomes the model's input, in the place of `images`; augmentations are parts.
    public struct Tokens: RecipeSection {
        public let size: Int
        public let codebookSize, codeDim: Int
        public let partner: Partner

        public static let defaults = ["partner": "neighbour"]
        public static let meanings = [
            "size": "Side of the grid that the model sees, tokens; at most the stored side.",
            "codebook_size": "Codes that the model provides for: at least as many as the token set's codebook has.",
            "code_dim": "Numbers of a code vector; that of the token set's codebook.",
            "partner":
                "Whom color takes statistics from and which half adapt takes. neighbour: pairs next to each other, the "
                + "same for any number of ranks; mirror: first and last of each rank's micro-batch and so on, and its "
                + "second half, as the reference has it.",
        ]

        public func check(_ here: Here) {
            here.require((1...1024).contains(size), at: "size", "1 to 1024 tokens expected, found \(size)")
            here.require(
                (2..<1 << 24).contains(codebookSize), at: "codebook_size",
                "2 to \((1 << 24) - 1) expected, found \(codebookSize)")
            here.require((1...4096).contains(codeDim), at: "code_dim", "1 to 4096 expected, found \(codeDim)")
        }
    }
}
