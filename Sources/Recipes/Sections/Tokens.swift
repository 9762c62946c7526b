extension Recipe {
    /// How a record of a token set becomes the model's input; stands in the place of `images`.
    public struct Tokens: RecipeSection {
        public let size: Int
        public let codes, width: Int

        public static let meanings = [
            "size": "Side of the grid that the model sees, tokens; at most the stored side.",
            "codes": "Codes that the model provides for: at least as many as the token set's codebook has.",
            "width": "Numbers of a code vector; that of the token set's codebook.",
        ]

        public func check(_ here: Here) {
            here.require((1...1024).contains(size), at: "size", "1 to 1024 tokens expected, found \(size)")
            here.require((2...1 << 24).contains(codes), at: "codes", "2 or more expected, found \(codes)")
            here.require((1...4096).contains(width), at: "width", "1 to 4096 expected, found \(width)")
        }
    }
}
