import Glibc

/// An affine map of a square (S, S, C): output pixel (row r, column q) reads (x, y) = (xq·q + xr·r + x0, yq·q + yr·r +
/// y0). Bilinear with zeros outside, where k, the sum of the weights that fall inside, multiplies once more: pixels of
/// the border are attenuated twice. Source: torchvision's affine with fill 0, as naver-ai/seit calls it.
public struct MapWarp: Sendable, Equatable {
    public var xq, xr, x0, yq, yr, y0: Float

    /// Floats that hold one.
    public static let floats = 6

    public init(_ floats: Floats) {
        (xq, xr, x0) = (floats[0], floats[1], floats[2])
        (yq, yr, y0) = (floats[3], floats[4], floats[5])
    }

    public func write(to floats: Floats) { floats.copy(from: [xq, xr, x0, yq, yr, y0]) }

    /// Every pixel stays where it is.
    public static let identity = MapWarp(xq: 1, xr: 0, x0: 0, yq: 0, yr: 1, y0: 0)

    public static func mirror(side: Int) -> MapWarp {
        MapWarp(xq: -1, xr: 0, x0: Float(side - 1), yq: 0, yr: 1, y0: 0)
    }

    /// - Parameters:
    ///   - angle: degrees.
    ///   - translation: pixels to the right and down.
    ///   - shear: degrees along x and y.
    public static func affine(
        angle: Double, translation: (x: Double, y: Double), shear: (x: Double, y: Double), side: Int
    ) -> MapWarp {
        let (a, sx, sy) = (angle * .pi / 180, shear.x * .pi / 180, shear.y * .pi / 180)
        let A = cos(a - sy) / cos(sy), B = -cos(a - sy) * tan(sx) / cos(sy) - sin(a)
        let C = sin(a - sy) / cos(sy), E = -sin(a - sy) * tan(sx) / cos(sy) + cos(a)
        let half = Double(side) / 2 - 0.5
        // u = q - half - tx, v = r - half - ty; x = E·u - B·v + half, y = -C·u + A·v + half.
        let (u, v) = (-half - translation.x, -half - translation.y)
        return MapWarp(
            xq: Float(E), xr: Float(-B), x0: Float(E * u - B * v + half), yq: Float(-C), yr: Float(A),
            y0: Float(-C * u + A * v + half))
    }

    private init(xq: Float, xr: Float, x0: Float, yq: Float, yr: Float, y0: Float) {
        (self.xq, self.xr, self.x0) = (xq, xr, x0)
        (self.yq, self.yr, self.y0) = (yq, yr, y0)
    }

    /// The same movement of a map whose side is this one's over `factor`: with positions x = factor·(x′ + ½) − ½ the
    /// turning stays, the rest shrinks.
    func smaller(by factor: Int) -> MapWarp {
        let (f, h) = (Float(factor), 0.5 * Float(factor) - 0.5)
        return MapWarp(
            xq: xq, xr: xr, x0: (xq * h + xr * h + x0 - h) / f, yq: yq, yr: yr, y0: (yq * h + yr * h + y0 - h) / f)
    }

    /// y = x sampled on the affine grid; both (side, side, C), not the same memory.
    public func apply(_ x: Floats, into y: Floats, side: Int, channels: Int) {
        precondition(x.count == side * side * channels && y.count == x.count, "maps of this side")
        if self == .identity { return y.copy(from: x) }
        y.fill(0)
        forEachTap(side: side) { from, to, weight in
            let (x, y) = (x.base + from * channels, y.base + to * channels)
            for channel in 0..<channels { y[channel] += weight * x[channel] }
        }
    }

    /// dx = what `apply` hands back of dy.
    public func applyBackward(_ dy: Floats, into dx: Floats, side: Int, channels: Int) {
        precondition(dx.count == side * side * channels && dy.count == dx.count, "maps of this side")
        if self == .identity { return dx.copy(from: dy) }
        dx.fill(0)
        forEachTap(side: side) { from, to, weight in
            let (dx, dy) = (dx.base + from * channels, dy.base + to * channels)
            for channel in 0..<channels { dx[channel] += weight * dy[channel] }
        }
    }

    @inline(__always) private func forEachTap(side: Int, _ body: (Int, Int, Float) -> Void) {
        for row in 0..<side {
            for column in 0..<side {
                let x = xq * Float(column) + xr * Float(row) + x0, y = yq * Float(column) + yr * Float(row) + y0
                let left = x.rounded(.down), top = y.rounded(.down)
                let (right, below) = (x - left, y - top)
                let weights = SIMD4((1 - below) * (1 - right), (1 - below) * right, below * (1 - right), below * right)
                var (sources, inside) = (SIMD4<Int>(repeating: -1), Float(0))
                for tap in 0..<4 {
                    let (at, down) = (Int(left) + tap % 2, Int(top) + tap / 2)
                    guard (0..<side).contains(at), (0..<side).contains(down) else { continue }
                    sources[tap] = down * side + at
                    inside += weights[tap]
                }
                for tap in 0..<4 where sources[tap] >= 0 && weights[tap] != 0 {
                    body(sources[tap], row * side + column, weights[tap] * inside)
                }
            }
        }
    }
}
