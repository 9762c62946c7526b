public import Kernels

/// SimMIM's mask: square cells of the image are hidden at random, exactly the same number in each image.
/// Source: arXiv 2111.09886, code microsoft/SimMIM.
public struct CellMask: Equatable, Sendable {
    /// Cells per side, S / M.
    public let grid: Int
    /// Model patches per side of a cell, M / p.
    public let patchesPerCell: Int
    /// Hidden cells per image; ceil(cells × ratio) in SimMIM.
    public let hiddenCells: Int

    /// - Parameters:
    ///   - imageSize: S, pixels per side of the image.
    ///   - cellSize: M, pixels per side of a cell; divides S.
    ///   - patchSize: p, pixels per side of a model patch; divides M.
    ///   - ratio: share of hidden cells, 0...1.
    public init(imageSize: Int, cellSize: Int, patchSize: Int, ratio: Double) throws(MaskError) {
        guard (0...1).contains(ratio) else { throw MaskError(reason: "ratio \(ratio) is outside 0...1") }
        try self.init(imageSize: imageSize, cellSize: cellSize, patchSize: patchSize) { cells in
            Int((Double(cells) * ratio).rounded(.up))
        }
    }

    /// - Parameter hidden: hidden cells of so many.
    public init(imageSize: Int, cellSize: Int, patchSize: Int, hidden: (Int) -> Int) throws(MaskError) {
        guard cellSize > 0, patchSize > 0, imageSize > 0, imageSize % cellSize == 0, cellSize % patchSize == 0 else {
            throw MaskError(
                reason: "image \(imageSize), mask cell \(cellSize), patch \(patchSize): each must divide the one before"
            )
        }
        grid = imageSize / cellSize
        patchesPerCell = cellSize / patchSize
        hiddenCells = hidden(grid * grid)
    }

    /// Patches per side of the mask, S / p.
    public var side: Int { grid * patchesPerCell }

    /// Writes the mask, (S/p, S/p), 1 = hidden, with the sample's own draws.
    public func draw(_ key: SampleKey, into mask: Floats) {
        var random = key.stream(.mask)
        hide(random.permutation(grid * grid), in: mask)
    }

    /// Hides the first cells of `order`, a permutation of all cells.
    public func hide(_ order: [Int], in mask: Floats) {
        precondition(order.count == grid * grid && mask.count == side * side, "order or mask of another grid")
        mask.fill(0)
        for cell in order.prefix(hiddenCells) {
            let (top, left) = (cell / grid * patchesPerCell, cell % grid * patchesPerCell)
            for row in top..<top + patchesPerCell {
                mask[row * side + left..<row * side + left + patchesPerCell].fill(1)
            }
        }
    }
}

/// Mask settings that do not fit together.
public struct MaskError: Error, Equatable, Sendable, CustomStringConvertible {
    public let reason: String
    public init(reason: String) { self.reason = reason }
    public var description: String { "mask: \(reason)" }
}
