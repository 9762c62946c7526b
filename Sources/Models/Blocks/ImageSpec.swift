/// The images a model is built for.
public struct ImageSpec: Sendable, Equatable {
    /// Side in pixels; images are square.
    public let side: Int
    public let channels: Int
    /// Where the input is a grid of tokens: `side` then counts these.
    public var tokens: TokenSpec?

    public init(side: Int, channels: Int = 3, tokens: TokenSpec? = nil) {
        self.side = side
        self.channels = channels
        self.tokens = tokens
    }
}

/// The tokens a model is built for, where its input is a grid of those and no image.
public struct TokenSpec: Sendable, Equatable {
    /// K: ids are 0..<codes.
    public let codes: Int
    /// D: numbers of a code vector.
    public let width: Int

    public init(codes: Int, width: Int) { (self.codes, self.width) = (codes, width) }
}
