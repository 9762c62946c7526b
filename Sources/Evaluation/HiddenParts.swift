public import Batches
public import Kernels

/// Which squares of a picture a mask hides.
public struct HiddenParts: Sendable {
    /// (n, n), 1 = hidden.
    private let mask: Floats
    private let side: Int
    private static let veil: UInt8 = 128

    public init(_ mask: Floats) {
        self.mask = mask
        side = Int(Double(mask.count).squareRoot().rounded())
        precondition(side * side == mask.count && side > 0, "a mask is a square of cells")
    }

    /// The picture with grey instead of what is hidden.
    public func veiled(_ picture: borrowing Image) -> Image {
        let result = Image(height: picture.height, width: picture.width, bytes: picture.bytes)
        forEachByte(of: result) { result.bytes[$0] = Self.veil }
        return result
    }

    /// The picture with `other` where it is hidden.
    public func pasted(_ other: borrowing Image, into picture: borrowing Image) -> Image {
        precondition(other.height == picture.height && other.width == picture.width, "pictures of one size")
        let result = Image(height: picture.height, width: picture.width, bytes: picture.bytes)
        let from = other.bytes
        forEachByte(of: result) { result.bytes[$0] = from[$0] }
        return result
    }

    private func forEachByte(of picture: borrowing Image, _ body: (Int) -> Void) {
        let (height, width) = (picture.height, picture.width)
        for y in 0..<height {
            for x in 0..<width where mask[y * side / height * side + x * side / width] > 0 {
                for byte in (y * width + x) * 3..<(y * width + x) * 3 + 3 { body(byte) }
            }
        }
    }
}
