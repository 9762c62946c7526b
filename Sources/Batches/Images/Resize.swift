package import Kernels

/// How a resized pixel is made of those around it.
public enum Interpolation: String, CaseIterable, Sendable, Decodable {
    case nearest, bilinear, bicubic
}

extension Image {
    /// Cuts out `box` (nothing outside it is seen) and resizes it, antialiased: a horizontal, then a vertical pass in
    /// 22-bit fixed point with an 8-bit image between them. Bit for bit that of Pillow 9.
    public mutating func resize(_ box: Box, height: Int, width: Int, _ interpolation: Interpolation) {
        precondition(box.top >= 0 && box.left >= 0 && box.height > 0 && box.width > 0, "an empty or negative box")
        precondition(box.top + box.height <= self.height && box.left + box.width <= self.width, "box outside the image")
        if box.height == height && box.width == width { return cut(box) }
        if interpolation == .nearest { return resizeToNearest(box, height: height, width: width) }
        if box.width != width { resampleColumns(box, width: width, interpolation) } else { cut(box) }
        if box.height != height { resampleRows(height: height, interpolation) }
    }

    public mutating func resize(height: Int, width: Int, _ interpolation: Interpolation) {
        resize(whole, height: height, width: width, interpolation)
    }

    /// The whole image as a box.
    public var whole: Box { Box(top: 0, left: 0, height: height, width: width) }

    /// Becomes the part inside `box`.
    public mutating func cut(_ box: Box) {
        if box == whole { return }
        let stride = width * 3, rowBytes = box.width * 3
        replace(height: box.height, width: box.width) { from, to in
            for y in 0..<box.height {
                let start = (box.top + y) * stride + box.left * 3
                to[y * rowBytes..<(y + 1) * rowBytes].copy(from: from[start..<start + rowBytes])
            }
        }
    }

    private mutating func resampleColumns(_ box: Box, width: Int, _ interpolation: Interpolation) {
        resizing.axis.prepare(inputs: box.width, outputs: width, interpolation)
        resizing.packed.makeRoom(for: resizing.axis.packedCount)
        // Taken out for the call, because `replace` holds the image.
        let scratch = resizing
        let stride = self.width * 3
        replace(height: box.height, width: width) { from, to in
            PixelLoops.resampleColumns(
                from[box.top * stride + box.left * 3..<from.count], stride: stride, rows: box.height, scratch.axis,
                into: to, packed: scratch.packed)
        }
    }

    private mutating func resampleRows(height: Int, _ interpolation: Interpolation) {
        resizing.axis.prepare(inputs: self.height, outputs: height, interpolation)
        let scratch = resizing
        let stride = width * 3
        replace(height: height, width: width) { from, to in
            PixelLoops.resampleRows(from, stride: stride, rowBytes: stride, scratch.axis, into: to)
        }
    }

    private mutating func resizeToNearest(_ box: Box, height: Int, width: Int) {
        let stride = self.width * 3
        let down = Double(box.height) / Double(height), across = Double(box.width) / Double(width)
        replace(height: height, width: width) { from, to in
            var y = 0.5 * down
            for row in 0..<height {
                var x = 0.5 * across
                for column in 0..<width {
                    let source = (box.top + Int(y)) * stride + (box.left + Int(x)) * 3
                    let target = (row * width + column) * 3
                    for channel in 0..<3 { to[target + channel] = from[source + channel] }
                    x += across
                }
                y += down
            }
        }
    }
}

/// Storage that resizing uses again.
struct ResizeScratch: Sendable {
    var axis = ResizeAxis()
    var packed = Buffer<Int16>(zeros: 0)
}

/// One axis of a resize: output o is the sum of `taps[o]` inputs from `first[o]`, with weights in units of 2^-22.
package struct ResizeAxis: Sendable {
    package private(set) var inputs = 0
    package private(set) var outputs = 0
    /// Weights kept per output, a multiple of four.
    package private(set) var stride = 0
    package private(set) var first = Indices(zeros: 0)
    package private(set) var taps = Indices(zeros: 0)
    package private(set) var weights = Indices(zeros: 0)
    private var exact = Buffer<Double>(zeros: 0)

    /// 16-bit halves of the weights, as the wide horizontal pass wants them.
    package var packedCount: Int { outputs * stride * 8 }

    package init() {}

    package mutating func prepare(inputs: Int, outputs: Int, _ interpolation: Interpolation) {
        let scale = Double(inputs) / Double(outputs)
        let stretch = max(scale, 1)
        let support = (interpolation == .bicubic ? 2 : 1) * stretch
        stride = (Int(support.rounded(.up)) * 2 + 1 + 3) / 4 * 4
        self.inputs = inputs
        self.outputs = outputs
        first.makeRoom(for: outputs)
        taps.makeRoom(for: outputs)
        weights.makeRoom(for: outputs * stride)
        exact.makeRoom(for: stride)
        for output in 0..<outputs {
            let centre = (Double(output) + 0.5) * scale
            let low = max(0, Int(centre - support + 0.5))
            let count = min(inputs, Int(centre + support + 0.5)) - low
            first[output] = Int32(low)
            taps[output] = Int32(count)
            var sum = 0.0
            for tap in 0..<count {
                let distance = (Double(tap + low) - centre + 0.5) * (1 / stretch)
                exact[tap] = interpolation == .bicubic ? cubic(distance) : triangle(distance)
                sum += exact[tap]
            }
            for tap in 0..<count {
                let weight = exact[tap] / sum * 0x1p22
                weights[output * stride + tap] = Int32(weight < 0 ? weight - 0.5 : weight + 0.5)
            }
        }
    }
}

private func triangle(_ x: Double) -> Double { max(0, 1 - abs(x)) }

/// Keys' cubic with a = -0.5.
private func cubic(_ x: Double) -> Double {
    let a = -0.5, x = abs(x)
    if x < 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
    if x < 2 { return (((x - 5) * x + 8) * x - 4) * a }
    return 0
}
