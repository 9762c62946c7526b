import CKernels

/// Interpolation of an affine grid sample: how a pixel follows from those around its place.
public enum WarpFilter: Sendable {
    case nearest, bilinear, bicubic

    fileprivate var raw: ck_filter {
        switch self {
        case .nearest: CK_NEAREST
        case .bilinear: CK_BILINEAR
        case .bicubic: CK_BICUBIC
        }
    }
}

/// An extended box filter: `inner` for the 2·`radius` + 1 middle taps, `outer` for the one beyond each end, in units of
/// 2^-24.
public struct BoxFilter: Sendable {
    public let radius: Int
    public let inner, outer: UInt32

    public init(radius: Int, inner: UInt32, outer: UInt32) {
        precondition(radius >= 0 && radius < Int(CK_BOX_REACH), "a box of 1 to \(2 * Int(CK_BOX_REACH))")
        (self.radius, self.inner, self.outer) = (radius, inner, outer)
    }
}

/// Loops over 8-bit RGB images, (H, W, 3), on the calling thread. Every level gives the same bytes.
public struct ImageLoops: Sendable {
    /// Bytes that may be read past the last pixel of an image that is sampled.
    public static let slack = 1

    private let level: InstructionLevel

    public init(level: InstructionLevel = .detected) { self.level = level }

    private var loops: ck_image { level.table.pointee.image }

    /// byte = table[channel][byte]; table: (3, 256).
    public func lookUp(_ bytes: Bytes, _ table: Bytes) {
        precondition(bytes.count % 3 == 0 && table.count == 768, "whole pixels, one table per channel")
        loops.look_up(bytes.base, table.base, bytes.count / 3)
    }

    /// counts[channel][v] = pixels of value v; counts: (3, 256).
    public func histogram(_ bytes: Bytes, into counts: Buffer<UInt32>) {
        precondition(bytes.count % 3 == 0 && counts.count == 768, "whole pixels, one histogram per channel")
        counts.fill(0)
        loops.histogram(bytes.base, counts.base, bytes.count / 3)
    }

    /// Sum of the pixels' grey values.
    public func greySum(_ bytes: Bytes) -> Int {
        precondition(bytes.count % 3 == 0, "whole pixels")
        return Int(loops.grey_sum(bytes.base, bytes.count / 3))
    }

    /// byte = grey + factor·(byte - grey), cut off and truncated.
    public func saturate(_ bytes: Bytes, _ factor: Float) {
        precondition(bytes.count % 3 == 0, "whole pixels")
        loops.saturate(bytes.base, factor, bytes.count / 3)
    }

    /// byte = smooth + factor·(byte - smooth), cut off and truncated; smooth: 3 × 3, the border as it is.
    public func sharpen(_ from: Bytes, into to: Bytes, _ factor: Float, height: Int, width: Int) {
        check(from, to, height, width)
        loops.sharpen(from.base, to.base, factor, height, width)
    }

    public func blurRows(_ from: Bytes, into to: Bytes, height: Int, width: Int, _ box: BoxFilter) {
        check(from, to, height, width)
        loops.blur_rows(
            from.base, to.base, height, width, ck_box(radius: box.radius, inner: box.inner, outer: box.outer))
    }

    public func blurColumns(_ from: Bytes, into to: Bytes, height: Int, width: Int, _ box: BoxFilter) {
        check(from, to, height, width)
        loops.blur_columns(
            from.base, to.base, height, width, ck_box(radius: box.radius, inner: box.inner, outer: box.outer))
    }

    /// The pixel at (x, y) is that of `from` at (a·(x + ½) + b·(y + ½) + c, d·(x + ½) + e·(y + ½) + f).
    /// - Parameters:
    ///   - from: `slack` bytes after it can be read.
    ///   - matrix: a, b, c and d, e, f.
    ///   - fill: red, green, blue where that place is outside.
    public func warp(
        _ from: Bytes, into to: Bytes, height: Int, width: Int, _ matrix: (x: SIMD3<Double>, y: SIMD3<Double>),
        _ filter: WarpFilter, fill: SIMD3<UInt8>
    ) {
        check(from, to, height, width)
        let color = UInt32(fill.x) | UInt32(fill.y) << 8 | UInt32(fill.z) << 16
        let (x, y) = matrix
        withUnsafeTemporaryAllocation(of: Double.self, capacity: 6) { six in
            for (index, value) in [x.x, x.y, x.z, y.x, y.y, y.z].enumerated() {
                six.initializeElement(at: index, to: value)
            }
            guard let start = six.baseAddress else { return }
            loops.warp(from.base, to.base, height, width, start, filter.raw, color)
        }
    }

    private func check(_ from: Bytes, _ to: Bytes, _ height: Int, _ width: Int) {
        precondition(from.count == height * width * 3 && to.count == from.count, "images of another size")
    }
}
