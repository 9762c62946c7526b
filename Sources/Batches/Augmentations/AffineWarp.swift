import Glibc
import Kernels

extension Image {
    /// Takes each pixel from another place, in the frame of this image. Source: Pillow 9, Geometry.c.
    /// - Parameter matrix: (a, b, c) and (d, e, f): the place of (x, y) is (a·x + b·y + c, d·x + e·y + f), pixel
    ///   centres at ½.
    package mutating func warp(
        _ matrix: (x: SIMD3<Double>, y: SIMD3<Double>), _ interpolation: Interpolation, fill: SIMD3<UInt8>
    ) {
        let filter: WarpFilter =
            switch interpolation {
            case .nearest: .nearest
            case .bilinear: .bilinear
            case .bicubic: .bicubic
            }
        let (height, width, loops) = (height, width, loops)
        replace(height: height, width: width) { from, to in
            loops.warp(from, into: to, height: height, width: width, matrix, filter, fill: fill)
        }
    }

    /// Turns the image about its middle. Half turns, and quarter turns of a square, only move pixels.
    /// - Parameter degrees: counter-clockwise.
    mutating func rotate(_ degrees: Double, _ interpolation: Interpolation, fill: SIMD3<UInt8>) {
        let rest = fmod(degrees, 360), turn = rest < 0 ? rest + 360 : rest
        switch turn {
        case 0: return
        case 180: return orient(3)
        case 90 where height == width: return orient(8)
        case 270 where height == width: return orient(6)
        default: break
        }
        let angle = -(turn * (Double.pi / 180))
        let cosine = cos(angle).roundedToFifteenDecimals, sine = sin(angle).roundedToFifteenDecimals
        let (x, y) = (Double(width) / 2, Double(height) / 2)
        // The sums in the order of the reference, whose last bits they are.
        let left = cosine * -x + sine * -y + 0, top = -sine * -x + cosine * -y + 0
        warp((SIMD3(cosine, sine, left + x), SIMD3(-sine, cosine, top + y)), interpolation, fill: fill)
    }

    /// Gaussian blur as three box passes along rows, then along columns, with 8 bits between them.
    /// Source: Gwosdek et al., "Theoretical foundations of Gaussian convolution by extended box filtering", 2011.
    mutating func blur(std: Double) {
        let box = BoxFilter(std: Float(std))
        let (height, width, loops) = (height, width, loops)
        for _ in 0..<3 {
            replace(height: height, width: width) { loops.blurRows($0, into: $1, height: height, width: width, box) }
        }
        for _ in 0..<3 {
            replace(height: height, width: width) { loops.blurColumns($0, into: $1, height: height, width: width, box) }
        }
    }
}

extension BoxFilter {
    /// The box which, applied three times, blurs like a Gaussian of that many pixels. Rounded to Float at each step.
    init(std: Float) {
        let variance = std * std / 3
        let length = Float((12 * Double(variance) + 1).squareRoot())
        let whole = Float(((Double(length) - 1) / 2).rounded(.down))
        let fraction =
            (2 * whole + 1) * (whole * (whole + 1) - 3 * variance) / (6 * (variance - (whole + 1) * (whole + 1)))
        let reach = whole + fraction, radius = Int(reach)
        let inner = UInt32(Float(1 << 24) / (reach * 2 + 1))
        self.init(radius: radius, inner: inner, outer: (1 << 24 - (2 * UInt32(radius) + 1) * inner) / 2)
    }
}

extension Double {
    /// The nearest number of fifteen decimals, for values of -1...1: its product with 10^15 is formed exactly, as a sum
    /// of two.
    fileprivate var roundedToFifteenDecimals: Double {
        let scaled = self * 1e15, rest = fma(self, 1e15, -scaled)
        let whole = scaled.rounded(.toNearestOrEven), distance = scaled - whole + rest
        return (distance > 0.5 ? whole + 1 : distance < -0.5 ? whole - 1 : whole) / 1e15
    }
}
