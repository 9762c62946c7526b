public import Kernels

/// The square in the middle; a smaller picture is first surrounded by zeros.
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

extension Image {
    /// Becomes a window of this picture that may reach beyond it; what lies outside is zero.
    public mutating func window(top: Int, left: Int, height: Int, width: Int) {
        let (oldHeight, oldWidth) = (self.height, self.width)
        let columns = max(0, left)..<max(0, left, min(oldWidth, left + width))
        replace(height: height, width: width) { from, to in
            to.fill(0)
            for y in max(0, top)..<max(0, top, min(oldHeight, top + height)) where !columns.isEmpty {
                let source = from[(y * oldWidth + columns.lowerBound) * 3..<(y * oldWidth + columns.upperBound) * 3]
                let start = ((y - top) * width + columns.lowerBound - left) * 3
                to[start..<start + source.count].copy(from: source)
            }
        }
    }
}
