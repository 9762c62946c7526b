public import Kernels

/// What happens to a record of stored ids until the model sees it. Training draws from the sample's key; evaluation
/// draws nothing. What concerns a whole micro-batch (mixing, colours) is done by `Loader.Settings.complete`.
public protocol TokenTransform: Sendable {
    /// m: side of the grid that the model sees.
    var side: Int { get }
    /// Floats of one position: 1 for an id, which a float holds exactly, or the codebook's width for a code vector.
    var channels: Int { get }
    /// Floats and ids that a loading thread keeps for this transform.
    var scratch: (floats: Int, ids: Int) { get }
    /// - Parameters:
    ///   - ids: as stored, (n, n); may be overwritten.
    ///   - floats: (side, side, channels), the sample's place in `Batch.images`.
    func apply(_ ids: Indices, _ key: SampleKey, into floats: Floats, using memory: TokenMemory)
}

/// What one loading thread keeps between samples of a token set.
public struct TokenMemory: Sendable {
    public let floats: Floats
    public let ids: Indices

    public init(_ scratch: (floats: Int, ids: Int)) {
        (floats, ids) = (Floats(zeros: scratch.floats), Indices(zeros: scratch.ids))
    }
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
    public var scratch: (floats: Int, ids: Int) { (0, 0) }

    public func apply(_ ids: Indices, _ key: SampleKey, into floats: Floats, using memory: TokenMemory) {
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
