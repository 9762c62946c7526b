/// The part of an image that CutMix pastes from another one. Source: timm 0.4.12, `rand_bbox`: the box has even
/// extents before it is cut at the border.
public struct CutMixBox: Sendable, Equatable {
    public let box: Box
    /// Share of the image that stays: the weight of its own label.
    public let kept: Double

    /// - Parameters:
    ///   - share: of the image that is to stay, 0...1.
    ///   - centre: row and column, inside the image.
    public init(share: Double, centre: (row: Int, column: Int), height: Int, width: Int) {
        let side = (1 - share).squareRoot()
        let (halfHeight, halfWidth) = (Int(Double(height) * side) / 2, Int(Double(width) * side) / 2)
        let (top, bottom) = (max(0, centre.row - halfHeight), min(height, centre.row + halfHeight))
        let (left, right) = (max(0, centre.column - halfWidth), min(width, centre.column + halfWidth))
        box = Box(top: top, left: left, height: bottom - top, width: right - left)
        kept = 1 - Double(box.height * box.width) / Double(height * width)
    }

    /// A box that was drawn as such.
    public init(_ box: Box, height: Int, width: Int) {
        self.box = box
        kept = 1 - Double(box.height * box.width) / Double(height * width)
    }
}
