import Kernels

/// A change of an 8-bit image with nothing left to draw: what the steps of every policy come down to. Byte for byte
/// that of Pillow 9.
public enum ImageOperation: Equatable, Sendable {
    case identity
    case autoContrast, equalize, invert
    /// All channels become the grey value.
    case grayscale
    /// So many of the top bits stay; 0 gives black.
    case posterize(bits: Int)
    /// Values from `threshold` on are inverted; it may be fractional, 256 changes nothing.
    case solarize(threshold: Double)
    /// Values below 128 grow by so much, up to 255.
    case solarizeAdd(Int)
    /// Factors: 0 is the image without it (grey, its mean grey, black, smoothed), 1 the image, more is more.
    case color(Double)
    case contrast(Double)
    case brightness(Double)
    case sharpness(Double)
    /// Degrees counter-clockwise.
    case rotate(degrees: Double)
    /// The pixel at (x, y) is the one at (x + `x`·y, y + `y`·x).
    case shear(x: Double, y: Double)
    /// The pixel at (x, y) is the one at (x + `x`, y + `y`): what is shown moves the other way.
    case translate(x: Double, y: Double)
    /// Gaussian blur of so many pixels.
    case blur(std: Double)
}

extension Image {
    /// - Parameters:
    ///   - interpolation: of rotation, shear and translation.
    ///   - fill: red, green, blue of what comes from outside.
    public mutating func apply(
        _ operation: ImageOperation, _ interpolation: Interpolation = .bicubic, fill: SIMD3<UInt8> = .zero
    ) {
        switch operation {
        case .identity: break
        case .autoContrast: stretchContrast()
        case .equalize: equalize()
        case .invert: map { 255 - $0 }
        case .grayscale: loops.saturate(bytes, 0)
        case .posterize(let bits):
            let mask = bits >= 8 ? 255 : UInt8(truncatingIfNeeded: 0xFF << (8 - max(0, bits)))
            map { $0 & mask }
        case .solarize(let threshold): map { Double($0) < threshold ? $0 : 255 - $0 }
        case .solarizeAdd(let value): map { $0 < 128 ? UInt8(min(max(Int($0) + value, 0), 255)) : $0 }
        case .color(let factor): loops.saturate(bytes, Float(factor))
        case .contrast(let factor):
            let mean = Int(Double(loops.greySum(bytes)) / Double(height * width) + 0.5)
            map { blend(mean, $0, Float(factor)) }
        case .brightness(let factor): map { blend(0, $0, Float(factor)) }
        case .sharpness(let factor):
            let (height, width, loops) = (height, width, loops)
            replace(height: height, width: width) { from, to in
                loops.sharpen(from, into: to, Float(factor), height: height, width: width)
            }
        case .rotate(let degrees): rotate(degrees, interpolation, fill: fill)
        case .shear(let x, let y): warp((SIMD3(1, x, 0), SIMD3(y, 1, 0)), interpolation, fill: fill)
        case .translate(let x, let y): warp((SIMD3(1, 0, x), SIMD3(0, 1, y)), interpolation, fill: fill)
        case .blur(let std): blur(std: std)
        }
    }

    /// Every byte becomes `value` of it.
    private mutating func map(_ value: (UInt8) -> UInt8) {
        let table = point.table
        for byte in 0...255 {
            let new = value(UInt8(byte))
            (table[byte], table[256 + byte], table[512 + byte]) = (new, new, new)
        }
        loops.lookUp(bytes, table)
    }

    /// The darkest value of each channel becomes 0, the brightest 255.
    private mutating func stretchContrast() {
        loops.histogram(bytes, into: point.counts)
        for channel in 0..<3 {
            let (counts, table) = point.channel(channel)
            let low: Int = (0..<256).first { counts[$0] > 0 } ?? 0
            let high: Int = (0..<256).last { counts[$0] > 0 } ?? 0
            // Of two doubles rounded one after the other, as the reference does it.
            let scale = high > low ? 255 / Double(high - low) : 1
            let offset = high > low ? -Double(low) * scale : 0
            for byte in 0..<256 { table[byte] = UInt8(min(max(Int(Double(byte) * scale + offset), 0), 255)) }
        }
        loops.lookUp(bytes, point.table)
    }

    /// The values of each channel become equally frequent.
    private mutating func equalize() {
        loops.histogram(bytes, into: point.counts)
        for channel in 0..<3 {
            let (counts, table) = point.channel(channel)
            let present = (0..<256).filter { counts[$0] > 0 }
            let brightest = present.last.map { Int(counts[$0]) } ?? 0
            let step = (height * width - brightest) / 255
            var sum = step / 2
            for byte in 0..<256 {
                table[byte] = present.count <= 1 || step == 0 ? UInt8(byte) : UInt8(min(255, sum / step))
                sum += Int(counts[byte])
            }
        }
        loops.lookUp(bytes, point.table)
    }
}

/// from + factor·(to - from) in Float, cut off at 0 and 255, truncated.
private func blend(_ from: Int, _ to: UInt8, _ factor: Float) -> UInt8 {
    let value = Float(from) + factor * Float(Int(to) - from)
    return UInt8(min(max(value, 0), 255))
}

/// Storage that point operations use again.
struct PointScratch: Sendable {
    /// (3, 256): the new value of each value of each channel.
    let table = Bytes(zeros: 768)
    /// (3, 256): pixels of each value of each channel.
    let counts = Buffer<UInt32>(zeros: 768)

    func channel(_ channel: Int) -> (counts: Buffer<UInt32>, table: Bytes) {
        let range = 256 * channel..<256 * (channel + 1)
        return (counts[range], table[range])
    }
}
