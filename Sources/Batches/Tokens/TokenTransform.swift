public import Kernels
public import Recipes

/// Makes a record of stored ids into what a model sees; nothing is drawn. What training draws is done to whole
/// micro-batches as they leave the loader.
public protocol TokenTransform: Sendable {
    /// m: side of the grid that the model sees.
    var side: Int { get }
    /// Floats of one position: 1 for an id, which a float holds exactly, or the codebook's width for a code vector.
    var channels: Int { get }
    /// - Parameters:
    ///   - ids: as stored, (n, n).
    ///   - floats: (side, side, channels), the sample's place in `Batch.images`.
    func apply(_ ids: Indices, into floats: Floats)
}

/// The middle of the stored grid, as ids or as code vectors: what evaluations see.
public struct CentreTokens: TokenTransform {
    public let side: Int
    private let grid: TokenGrid
    private let embeds: Bool

    /// - Parameters:
    ///   - side: m, at most the stored side n; the crop begins at floor((n − m)/2).
    ///   - embeds: give code vectors in place of ids.
    public init(_ grid: TokenGrid, side: Int, embeds: Bool) {
        precondition(side > 0 && side <= grid.side, "a crop inside the grid")
        (self.grid, self.side, self.embeds) = (grid, side, embeds)
    }

    public var channels: Int { embeds ? grid.codebook.width : 1 }

    public func apply(_ ids: Indices, into floats: Floats) {
        let start = (grid.side - side) / 2
        for row in 0..<side {
            for column in 0..<side {
                let id = Int(ids[(start + row) * grid.side + start + column])
                let place = row * side + column
                if embeds {
                    let width = grid.codebook.width
                    floats[place * width..<(place + 1) * width].copy(from: grid.codebook[id])
                } else {
                    floats[place] = Float(id)
                }
            }
        }
    }
}

extension Recipe {
    /// Nothing drawn: the records of a set as evaluations see them.
    /// - Parameter channels: 1 for ids, else those of code vectors: the last extent of the objective's input.
    public func evaluationTokens(_ grid: TokenGrid?, channels: Int) -> (any TokenTransform)? {
        guard let tokens, let grid else { return nil }
        return CentreTokens(grid, side: tokens.size, embeds: channels > 1)
    }
}

extension Loader.Settings {
    /// Stored grids as they are, as ids.
    public mutating func readWhole(_ grid: TokenGrid) {
        (height, width) = (grid.side, grid.side)
        tokens = CentreTokens(grid, side: grid.side, embeds: false)
    }
}
