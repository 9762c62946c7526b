public import Batches
public import Kernels

/// The squares of an image that a mask covers.
public struct MaskedCells: Sendable {
    /// (n, n), 1 = masked.
    private let mask: Floats
    private let side: Int
    private static let grey: UInt8 = 128

    public init(_ mask: Floats) {
        self.mask = mask
        side = Int(Double(mask.count).squareRoot().rounded())
        precondition(side * side == mask.count && side > 0, "a mask is a square of cells")
    }

    /// The image with grey instead of what is masked.
    public func masked(_ image: borrowing Image) -> Image {
        let result = Image(height: image.height, width: image.width, bytes: image.bytes)
        forEachByte(of: result) { result.bytes[$0] = Self.grey }
        return result
    }

    /// The image with `other` where it is masked.
    public func pasted(_ other: borrowing Image, into image: borrowing Image) -> Image {
        precondition(other.height == image.height && other.width == image.width, "images of one size")
        let result = Image(height: image.height, width: image.width, bytes: image.bytes)
        let from = other.bytes
        forEachByte(of: result) { result.bytes[$0] = from[$0] }
        return result
    }

    private func forEachByte(of image: borrowing Image, _ body: (Int) -> Void) {
        let (height, width) = (image.height, image.width)
        for y in 0..<height {
            for x in 0..<width where mask[y * side / height * side + x * side / width] > 0 {
                for byte in (y * width + x) * 3..<(y * width + x) * 3 + 3 { body(byte) }
            }
        }
    }
}
