public import Kernels

/// The square in the middle; a smaller image is first surrounded by zeros.
public struct CentreCrop: Augmentation {
    /// Side of the result in pixels.
    public let size: Int

    public init(size: Int) {
        precondition(size > 0, "size is positive")
        self.size = size
    }

    public var purpose: Purpose? { nil }

    public func apply(_ image: inout Image, _ random: inout RandomStream) {
        let top = offset(image.height), left = offset(image.width)
        image.window(top: top, left: left, height: size, width: size)
    }

    /// First row or column of the square; negative where zeros are added. Halves go to the even side.
    public func offset(_ extent: Int) -> Int {
        if extent < size { return -((size - extent) / 2) }
        return Int((Double(extent - size) / 2).rounded(.toNearestOrEven))
    }
}
