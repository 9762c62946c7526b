public import Batches
import Kernels

/// A sheet of images for people: a row of images for each sample, samples side by side where the sheet is wide
/// enough. Small images are enlarged by repeating pixels, so that each pixel can be seen.
public struct ImageGrid: ~Copyable {
    /// Side of an image on the sheet, pixels.
    public let side: Int
    /// Pixels between the images of a sample; between samples it is `margin`.
    public let gap: Int
    public let margin: Int
    /// Samples in a row of the sheet.
    public let across: Int
    public let sheet: Image
    /// Titles of a sample's images, in their order.
    public let titles: [String]

    private static let leastSide = 128
    private static let mostWidth = 1280
    private static let paper: UInt8 = 255

    /// - Parameters:
    ///   - titles: one for each image of a sample.
    ///   - inputSide: of the model's input, pixels.
    public init(samples: Int, titles: [String], inputSide: Int) {
        precondition(samples > 0 && !titles.isEmpty && inputSide > 0, "a sheet has images")
        let side = inputSide * max(1, Self.leastSide / inputSide)
        let gap = max(2, side / 32)
        let margin = 4 * gap
        let block = Self.extent(titles.count, of: side, apart: gap) + margin
        let fitting = min(samples, max(1, (Self.mostWidth - margin) / block))
        // Full rows look better than a few more columns.
        let across = (1...fitting).last { samples % $0 == 0 && 2 * $0 > fitting } ?? fitting
        let rows = (samples + across - 1) / across
        var sheet = Image()
        sheet.reshape(height: margin + rows * (side + margin), width: margin + across * block)
        sheet.bytes.fill(Self.paper)
        (self.side, self.gap, self.margin, self.across, self.titles) = (side, gap, margin, across, titles)
        self.sheet = sheet
    }

    /// Draws an image at its place; one of another shape than the square keeps its aspect and stands in the middle.
    public func draw(_ image: borrowing Image, sample: Int, number: Int) {
        var fitted = Image(height: image.height, width: image.width, bytes: image.bytes)
        let longest = max(fitted.height, fitted.width)
        fitted.resize(
            height: max(1, fitted.height * side / longest), width: max(1, fitted.width * side / longest),
            longest > side ? .bilinear : .nearest)
        let (top, left) = corner(sample: sample, number: number)
        let (y, x) = (top + (side - fitted.height) / 2, left + (side - fitted.width) / 2)
        let rowBytes = fitted.width * 3
        for row in 0..<fitted.height {
            let start = ((y + row) * sheet.width + x) * 3
            sheet.bytes[start..<start + rowBytes].copy(from: fitted.bytes[row * rowBytes..<(row + 1) * rowBytes])
        }
    }

    /// Where an image's square begins.
    public func corner(sample: Int, number: Int) -> (top: Int, left: Int) {
        precondition(sample >= 0 && number >= 0 && number < titles.count, "a place on the sheet")
        let block = Self.extent(titles.count, of: side, apart: gap) + margin
        return (
            margin + sample / across * (side + margin), margin + sample % across * block + number * (side + gap)
        )
    }

    private static func extent(_ count: Int, of side: Int, apart gap: Int) -> Int { count * side + (count - 1) * gap }
}
