public import Autodiff
public import Kernels

/// The same numbers under another shape. Keeps nothing; the gradient of x is that of y.
public struct Reshape: Operation {
    private let shape: Shape

    public init(_ shape: Shape) { self.shape = shape }

    public func callAsFunction(_ x: Tensor) -> Tensor { x.apply(self) }

    public var keeps: Kept { .nothing }
    public var passesGradientTo: Int? { 0 }

    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        guard shapes[0].count == shape.count else { throw ShapeError("\(shapes[0]) is read as \(shape)") }
        return shape
    }

    public func forward(_ at: Workspace) { at.pool.copy(at.inputs[0], into: at.output) }
    public func backward(_ at: Workspace) {}
}

/// The pixels of an image as one vector, row by row: (B, H, W, C) to (B, 1, H·W·C), or the mean over the channels,
/// (B, 1, H·W), as for grey images whose channels repeat. Keeps nothing.
public struct PixelVector: Operation {
    private let isGrey: Bool

    public init(isGrey: Bool) { self.isGrey = isGrey }

    public func callAsFunction(_ images: Tensor) -> Tensor { images.apply(self) }

    public var keeps: Kept { .nothing }

    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        guard shapes[0].rank == 4 else {
            throw ShapeError("input \(shapes[0]) is not (batch, height, width, channels)")
        }
        let image = shapes[0].extents
        return [image[0], 1, image[1] * image[2] * (isGrey ? 1 : image[3])]
    }

    public func forward(_ at: Workspace) {
        guard isGrey else { return at.pool.copy(at.inputs[0], into: at.output, adding: false) }
        let channels = at.shapes[0].channels
        at.pool.split(at.output.count, grain: 4096, (at.inputs[0], at.output, channels)) { arguments, pixels in
            let (x, y, channels) = arguments
            for pixel in pixels {
                var sum: Float = 0
                for channel in pixel * channels..<(pixel + 1) * channels { sum += x[channel] }
                y[pixel] = sum / Float(channels)
            }
        }
    }

    public func backward(_ at: Workspace) {
        guard let dx = at.inputGradients[0] else { return }
        guard isGrey else { return at.pool.copy(at.outputGradient, into: dx, adding: at.adds[0]) }
        let channels = at.shapes[0].channels
        at.pool.split(dx.count, grain: 4096, (at.outputGradient, dx, channels, at.adds[0])) { arguments, values in
            let (dy, dx, channels, adds) = arguments
            for value in values {
                let share = dy[value / channels] / Float(channels)
                dx[value] = adds ? dx[value] + share : share
            }
        }
    }
}
