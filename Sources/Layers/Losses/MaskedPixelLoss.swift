public import Autodiff
public import Kernels

/// Sum over masked pixels of |x − y|: Σ |x − y|·m, to be divided by `MaskedPixelCount`.
/// x, y: (B, g·g, C·σ·σ), a row is the σ×σ block under one feature in the order (c, i, j); m: (B, k·g, k·g) cells of
/// σ/k pixels, 1 = masked; out: (1). The gradient at |0| is 0. Keeps inputs.
/// Source: arXiv 2111.09886, code microsoft/SimMIM.
public struct MaskedPixelLoss: Operation {
    private let channels: Int

    public init(channels: Int) { self.channels = channels }

    public func callAsFunction(_ pixels: Tensor, _ target: Tensor, mask: Tensor) -> Tensor {
        pixels.apply(self, target, mask)
    }

    public var keeps: Kept { .inputs }

    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        let (pixels, target, mask) = (shapes[0], shapes[1], shapes[2])
        guard pixels.rank == 3, pixels == target else {
            throw ShapeError("prediction \(pixels) does not fit the target \(target)")
        }
        let (side, block) = extents(pixels)
        guard side * side == pixels[1], channels * block * block == pixels[2] else {
            throw ShapeError("prediction \(pixels) is no square grid of square blocks of \(channels) channels")
        }
        guard mask.rank == 3, mask[0] == pixels[0], mask[1] == mask[2], mask[1] % side == 0,
            block % (mask[1] / side) == 0
        else { throw ShapeError("mask \(mask) does not cut \(side) × \(side) blocks of side \(block) evenly") }
        return [1]
    }

    public func forward(_ at: Workspace) {
        at.output[0] = Float(
            at.pool.maskedAbsoluteError(at.inputs[0], at.inputs[1], mask: at.inputs[2], grid: grid(at.shapes)))
    }

    public func backward(_ at: Workspace) {
        guard let dx = at.inputGradients[0] else { return }
        at.pool.maskedAbsoluteErrorBackward(
            at.inputs[0], at.inputs[1], mask: at.inputs[2], scale: at.outputGradient[0], into: dx, adding: at.adds[0],
            grid: grid(at.shapes))
    }

    private func grid(_ shapes: [Shape]) -> PixelGrid {
        let (side, block) = extents(shapes[0])
        return PixelGrid(
            batch: shapes[0][0], height: side, width: side, channels: channels, stride: block,
            maskPatch: block * side / shapes[2][1])
    }

    /// Blocks along a side of the image, and pixels along a side of a block.
    private func extents(_ pixels: Shape) -> (side: Int, block: Int) {
        let root = { (square: Int) in Int(Double(square).squareRoot().rounded()) }
        return (root(pixels[1]), root(pixels[2] / channels))
    }
}

/// The weight of `MaskedPixelLoss`: C · (masked pixels + 1e-5), where a pixel counts once for all its channels.
/// m: (B, …) cells, 1 = masked; out: (1). Keeps nothing; a mask gets no gradient.
public struct MaskedPixelCount: Operation {
    private let channels: Int
    private let pixelsPerCell: Int

    public init(channels: Int, pixelsPerCell: Int) {
        self.channels = channels
        self.pixelsPerCell = pixelsPerCell
    }

    public func callAsFunction(_ mask: Tensor) -> Tensor { mask.apply(self) }

    public var keeps: Kept { .nothing }
    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape { [1] }

    public func forward(_ at: Workspace) {
        let pixels = at.pool.sum(at.inputs[0]) * Double(pixelsPerCell)
        at.output[0] = Float(Double(channels) * (pixels + 1e-5))
    }

    public func backward(_ at: Workspace) {}
}
