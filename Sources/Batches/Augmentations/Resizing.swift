public import Kernels

/// The whole image resized without draws.
public struct Resizing: Augmentation {
    public enum Target: Equatable, Sendable {
        /// The short edge becomes so many pixels, the long one keeps the aspect.
        case shortEdge(Int)
        /// Exactly this height and width, whatever the aspect.
        case exactly(height: Int, width: Int)
    }

    /// The filters that a recipe can name.
    public enum Filter: String, CaseIterable, Decodable, Sendable {
        case bilinear, bicubic

        public var interpolation: Interpolation { self == .bicubic ? .bicubic : .bilinear }
    }

    public let target: Target
    public let interpolation: Interpolation

    public init(_ target: Target, _ interpolation: Interpolation) {
        self.target = target
        self.interpolation = interpolation
    }

    public var purpose: Purpose? { nil }

    public func apply(_ image: inout Image, _ random: inout RandomStream) {
        let (height, width) = size(height: image.height, width: image.width)
        image.resize(height: height, width: width, interpolation)
    }

    /// The size that an image gets.
    public func size(height: Int, width: Int) -> (height: Int, width: Int) {
        switch target {
        case .exactly(let height, let width): (height, width)
        case .shortEdge(let edge):
            height <= width
                ? (edge, edge * width / height)
                : (edge * height / width, edge)
        }
    }
}

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
