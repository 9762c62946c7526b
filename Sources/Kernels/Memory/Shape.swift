/// The extents of a row-major array, outermost first.
public struct Shape: Hashable, Sendable, ExpressibleByArrayLiteral, CustomStringConvertible {
    public let extents: [Int]

    public init(_ extents: [Int]) { self.extents = extents }
    public init(arrayLiteral extents: Int...) { self.extents = extents }

    public var count: Int { extents.reduce(1, *) }
    public var rank: Int { extents.count }
    public subscript(axis: Int) -> Int { extents[axis] }

    /// Every activation is a matrix: all extents but the last are its rows.
    public var rows: Int { extents.dropLast().reduce(1, *) }
    public var channels: Int { extents.last ?? 1 }

    /// The extents of a rank-3 shape, for `let (B, T, C) = shape.three`.
    public var three: (Int, Int, Int) {
        precondition(rank == 3, "shape \(self) has not three extents")
        return (extents[0], extents[1], extents[2])
    }

    public var description: String { "(" + extents.map(String.init).joined(separator: ", ") + ")" }
}
