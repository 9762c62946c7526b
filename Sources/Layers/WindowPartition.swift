public import Kernels

/// A side × side grid of tokens cut into windows of window × window tokens, row-major inside and among each other.
/// With a shift the grid is rolled by −shift along both axes first, so that windows join what neighbours had apart;
/// the mask then keeps apart what only the roll has brought together. Source: arXiv 2103.14030.
public struct WindowPartition: Sendable {
    /// Tokens along a side of a window.
    public let window: Int
    /// Windows of a sample.
    public let count: Int
    /// The tokens of a sample, window by window.
    public let order: RowOrder
    /// Added to logits, (count, window², window²): −100 between tokens that are no neighbours. Nil without a shift.
    public let mask: Floats?

    /// - Parameters:
    ///   - window: a divisor of `side`.
    ///   - shift: tokens, 0..<window.
    public init(side: Int, window: Int, shift: Int) {
        precondition(window > 0 && side % window == 0 && (0..<window).contains(shift), "windows do not fit the grid")
        let across = side / window, tokens = window * window
        let places = (0..<side * side).map { place in
            let (number, token) = (place / tokens, place % tokens)
            return (y: number / across * window + token / window, x: number % across * window + token % window)
        }
        // The last window of an axis holds the far edge, and behind it the near edge that was rolled there.
        let part = { (at: Int) in at < side - window ? 0 : at < side - shift ? 1 : 2 }
        let regions = places.map { part($0.y) * 3 + part($0.x) }
        self.window = window
        count = across * across
        order = RowOrder(places.map { ($0.y + shift) % side * side + ($0.x + shift) % side })
        mask =
            shift == 0
            ? nil
            : Floats(
                (0..<side * side).flatMap { query -> [Float] in
                    let first = query / tokens * tokens
                    return (first..<first + tokens).map { regions[$0] == regions[query] ? 0 : -100 }
                })
    }
}
