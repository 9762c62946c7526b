import Kernels

/// One procedural image before it has pixels. Coordinates run from -1 to 1 across the image; colours are linear
/// mixes of three 8-bit channels.
struct ProceduralScene {
    typealias Colour = SIMD3<Float>

    private let figure: Procedural.Figure
    private let size: Int
    private let background: (Colour, Colour)
    private let foreground: (Colour, Colour)
    /// The direction in which the background changes colour.
    private let slope: SIMD2<Float>
    /// The first axis of the figure; the second stands at a right angle.
    private let axis: SIMD2<Float>
    private let centre: SIMD2<Float>
    /// Half extent of a shape.
    private let radius: Float
    /// Stripes across the image, and their shift in stripes.
    private let stripes: Float
    private let shift: SIMD2<Float>
    private let blobs: [(centre: SIMD2<Float>, radius: Float, colour: Colour)]

    init(_ figure: Procedural.Figure, size: Int, _ random: inout RandomStream) {
        self.figure = figure
        self.size = size
        let hue = random.uniform()
        let other = hue + random.uniform(0.3...0.7)
        let isBright = random.uniform() < 0.5
        let dark = 0.22 + 0.2 * random.uniform()
        let light = 0.75 + 0.25 * random.uniform()
        background = Self.pair(hue, isBright ? light : dark, &random)
        foreground = Self.pair(other, isBright ? dark : light, &random)
        slope = Self.direction(&random)
        // Shapes turn freely; stripes keep the direction that names their class, up to a few degrees.
        let free = Self.direction(&random)
        let tilt = Float(random.uniform(-0.12...0.12))
        axis =
            switch figure {
            case .rows: Self.unit(SIMD2(tilt, 1))
            case .columns: Self.unit(SIMD2(1, tilt))
            case .diagonals: Self.unit(SIMD2(1, (random.uniform() < 0.5 ? 1 : -1) + tilt))
            default: free
            }
        radius = Float(random.uniform(0.3...0.65))
        let room = Double(1 - radius) * 0.8
        centre = SIMD2(Float(random.uniform(-room...room)), Float(random.uniform(-room...room)))
        stripes = Float(random.uniform(2...5))
        shift = SIMD2(Float(random.uniform()), Float(random.uniform()))
        var blobs: [(SIMD2<Float>, Float, Colour)] = []
        if figure == .blobs {
            for _ in 0..<3 + random.below(3) {
                let place = SIMD2(Float(random.uniform(-0.9...0.9)), Float(random.uniform(-0.9...0.9)))
                let reach = Float(random.uniform(0.25...0.55))
                blobs.append((place, reach, Self.colour(random.uniform(), 0.4 + 0.4 * random.uniform(), light)))
            }
        }
        self.blobs = blobs
    }

    func draw(into pixels: Bytes) {
        let step = 2 / Float(size)
        for row in 0..<size {
            for column in 0..<size {
                let at = SIMD2((Float(column) + 0.5) * step - 1, (Float(row) + 0.5) * step - 1)
                let colour = simdClamp(colour(at: at, pixel: step))
                let start = 3 * (row * size + column)
                for channel in 0..<3 { pixels[start + channel] = UInt8(colour[channel] * 255 + 0.5) }
            }
        }
    }

    private func colour(at: SIMD2<Float>, pixel: Float) -> Colour {
        let ground = mix(background, (at * slope).sum() * 0.35 + 0.5)
        if figure == .blobs {
            return blobs.reduce(ground) { colour, blob in
                let offset = (at - blob.centre) / blob.radius
                let fall = 1 / (1 + (offset * offset).sum())
                return colour + (blob.colour - colour) * (fall * fall)
            }
        }
        let offset = at - centre
        let place = SIMD2((offset * axis).sum(), offset.y * axis.x - offset.x * axis.y)
        // One pixel of transition between inside and outside.
        let cover = min(max(0.5 - distance(at, place) / pixel, 0), 1)
        let lit = mix(foreground, 0.5 - 0.5 * (offset.x + offset.y) / max(radius, 0.5))
        return ground + (lit - ground) * cover
    }

    /// Signed distance to the edge of the figure, negative inside.
    private func distance(_ at: SIMD2<Float>, _ place: SIMD2<Float>) -> Float {
        let length = (place * place).sum().squareRoot()
        let (x, y) = (abs(place.x), abs(place.y))
        switch figure {
        case .disc: return length - radius
        case .ring: return abs(length - 0.75 * radius) - 0.25 * radius
        case .square: return max(x, y) - 0.8 * radius
        case .triangle: return max(0.866_025_4 * x + 0.5 * place.y, -place.y) - 0.55 * radius
        case .cross: return min(max(x - radius, y - 0.3 * radius), max(y - radius, x - 0.3 * radius))
        case .rows, .columns, .diagonals: return band((at * axis).sum(), shift.x)
        case .checker:
            let (first, second) = (band(place.x, shift.x), band(place.y, shift.y))
            // Inside where exactly one of both bands is: the symmetric difference of two distances.
            return max(min(first, second), -max(first, second))
        case .blobs: return 1
        }
    }

    /// Distance to the nearest edge of a stripe pattern with equal stripes and gaps.
    private func band(_ along: Float, _ shift: Float) -> Float {
        let phase = along * stripes / 2 + shift
        return (abs(phase - phase.rounded(.down) - 0.5) - 0.25) * 2 / stripes
    }

    private func mix(_ pair: (Colour, Colour), _ part: Float) -> Colour {
        pair.0 + (pair.1 - pair.0) * min(max(part, 0), 1)
    }

    private func simdClamp(_ colour: Colour) -> Colour {
        colour.clamped(lowerBound: Colour(), upperBound: Colour(1, 1, 1))
    }

    /// Two neighbouring colours of one lightness.
    private static func pair(_ hue: Double, _ value: Double, _ random: inout RandomStream) -> (Colour, Colour) {
        let vivid = random.uniform(0.35...0.85)
        let near = hue + random.uniform(-0.08...0.08)
        return (colour(hue, vivid, value), colour(near, vivid, value * random.uniform(0.6...0.9)))
    }

    /// - Parameter hue: in turns; its whole part does not matter.
    private static func colour(_ hue: Double, _ saturation: Double, _ value: Double) -> Colour {
        let turn = 6 * (hue - hue.rounded(.down))
        func channel(_ offset: Double) -> Float {
            let place = (turn + offset).truncatingRemainder(dividingBy: 6)
            return Float(value * (1 - saturation * min(max(min(place, 4 - place), 0), 1)))
        }
        return Colour(channel(5), channel(3), channel(1))
    }

    /// A uniform direction without sine or cosine, whose last bits differ between libraries.
    private static func direction(_ random: inout RandomStream) -> SIMD2<Float> {
        while true {
            let point = SIMD2(Float(random.uniform(-1...1)), Float(random.uniform(-1...1)))
            let square = (point * point).sum()
            if square <= 1, square > 0.01 { return unit(point) }
        }
    }

    private static func unit(_ vector: SIMD2<Float>) -> SIMD2<Float> { vector / (vector * vector).sum().squareRoot() }
}
