/// A part of a map (H, W, C), resized: separable bicubic with a = −0.75, half-pixel centres and edges clamped inside the
/// part, no smoothing. Source: PyTorch's `interpolate(mode: bicubic)`.
public struct MapCrop: Sendable, Equatable {
    public var top, left, height, width: Int

    public init(top: Int, left: Int, height: Int, width: Int) {
        (self.top, self.left, self.height, self.width) = (top, left, height, width)
    }

    /// The source lines that one target line reads, with their weights.
    struct Taps {
        var index = SIMD4<Int>()
        var weight = SIMD4<Float>()

        init(_ target: Int, of targets: Int, from first: Int, count: Int) {
            let source = (Double(target) + 0.5) * Double(count) / Double(targets) - 0.5
            let start = source.rounded(.down), t = source - start
            let weights = SIMD4(Self.far(1 + t), Self.near(t), Self.near(1 - t), Self.far(2 - t))
            for tap in 0..<4 {
                index[tap] = first + min(max(Int(start) - 1 + tap, 0), count - 1)
                weight[tap] = Float(weights[tap])
            }
        }

        private static let a = -0.75
        /// |x| ≤ 1
        private static func near(_ x: Double) -> Double { ((a + 2) * x - (a + 3)) * x * x + 1 }
        /// 1 < |x| < 2
        private static func far(_ x: Double) -> Double { ((a * x - 5 * a) * x + 8 * a) * x - 4 * a }
    }

    /// y = the part of x, side × side.
    /// x: (H, W, C) with `columns` W; y: (side, side, C).
    public func resize(_ x: Floats, columns: Int, into y: Floats, side: Int, channels: Int) {
        check(x, columns: columns, y, side: side, channels: channels)
        y.fill(0)
        forEachTap(columns: columns, side: side) { from, to, weight in
            let (x, y) = (x.base + from * channels, y.base + to * channels)
            for channel in 0..<channels { y[channel] += weight * x[channel] }
        }
    }

    /// dx += what `resize` hands back of dy.
    public func resizeBackward(_ dy: Floats, side: Int, addingTo dx: Floats, columns: Int, channels: Int) {
        check(dx, columns: columns, dy, side: side, channels: channels)
        forEachTap(columns: columns, side: side) { from, to, weight in
            let (dx, dy) = (dx.base + from * channels, dy.base + to * channels)
            for channel in 0..<channels { dx[channel] += weight * dy[channel] }
        }
    }

    private func check(_ map: Floats, columns: Int, _ resized: Floats, side: Int, channels: Int) {
        precondition(map.count % (columns * channels) == 0 && resized.count == side * side * channels, "map sizes")
        precondition(
            top >= 0 && left >= 0 && height > 0 && width > 0 && left + width <= columns
                && (top + height) * columns * channels <= map.count, "a part inside the map")
    }

    @inline(__always) private func forEachTap(columns: Int, side: Int, _ body: (Int, Int, Float) -> Void) {
        withUnsafeTemporaryAllocation(of: Taps.self, capacity: side) { across in
            for column in 0..<side {
                across.initializeElement(at: column, to: Taps(column, of: side, from: left, count: width))
            }
            for row in 0..<side {
                let down = Taps(row, of: side, from: top, count: height)
                for column in 0..<side {
                    let taps = across[column]
                    for y in 0..<4 {
                        for x in 0..<4 {
                            body(
                                down.index[y] * columns + taps.index[x], row * side + column,
                                down.weight[y] * taps.weight[x])
                        }
                    }
                }
            }
        }
    }
}
