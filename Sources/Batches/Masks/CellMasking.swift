public import Kernels

/// Square cells of an image masked at random, exactly as many in each image.
/// Source: arXiv 2111.09886 (SimMIM), 2111.06377 (MAE), 2301.03580 (SparK), which differ in the rounding.
public struct CellMasking: Masking, Equatable {
    /// Rounding of a ratio that gives no whole number of cells.
    public enum Rounding: Sendable {
        /// ceil(n·ratio) are masked: SimMIM.
        case maskedUp
        /// floor(n·(1 − ratio)) stay visible: MAE and CRATE-MAE.
        case visibleDown
        /// round(n·(1 − ratio)) stay visible, halves to even: SparK.
        case visibleEven

        /// Masked cells of `cells`. In Double, as the references count: 0.9 of 100 leaves 9 visible when rounded down.
        public func masked(_ ratio: Double, of cells: Int) -> Int {
            switch self {
            case .maskedUp: Int((Double(cells) * ratio).rounded(.up))
            case .visibleDown: cells - Int(Double(cells) * (1 - ratio))
            case .visibleEven: cells - Int((Double(cells) * (1 - ratio)).rounded(.toNearestOrEven))
            }
        }
    }

    /// Cells along a side of the image.
    public let grid: Int
    /// Patches along a side of a cell.
    public let patchesPerCell: Int
    /// Masked cells of each image.
    public let maskedCells: Int

    /// - Parameters:
    ///   - imageSide: pixels.
    ///   - cellSide: pixels; divides the image's side.
    ///   - patchSide: pixels of the encoder's patch; divides the cell's side.
    ///   - ratio: share of masked cells, 0...1.
    public init(imageSide: Int, cellSide: Int, patchSide: Int, ratio: Double, rounding: Rounding = .maskedUp) {
        precondition(cellSide > 0 && patchSide > 0 && (0...1).contains(ratio), "sides and a share of cells")
        precondition(imageSide % cellSide == 0 && cellSide % patchSide == 0, "whole patches in whole cells")
        (grid, patchesPerCell) = (imageSide / cellSide, cellSide / patchSide)
        maskedCells = rounding.masked(ratio, of: grid * grid)
    }

    public var side: Int { grid * patchesPerCell }
    public var cells: Int { grid * grid }
    public var visibleCells: Int? { cells - maskedCells }

    public func draw(_ key: SampleKey, update: Int, into mask: Floats) {
        var random = key.stream(.mask)
        draw(order: random.permutation(cells), into: mask)
    }

    /// Masks the first cells of `order`, a permutation of all cells.
    public func draw(order: [Int], into mask: Floats) {
        precondition(order.count == cells && mask.count == count, "order or mask of another grid")
        mask.fill(0)
        for cell in order.prefix(maskedCells) {
            let (top, left) = (cell / grid * patchesPerCell, cell % grid * patchesPerCell)
            for row in top..<top + patchesPerCell {
                mask[row * side + left..<row * side + left + patchesPerCell].fill(1)
            }
        }
    }
}
