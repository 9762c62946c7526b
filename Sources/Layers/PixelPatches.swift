public import Autodiff
public import Kernels

/// Cuts images into patches of p × q pixels: (B, H, W, C) to (B, H/p·W/q, p·q·C). A row holds one patch in the order
/// (row, column, channel), as the memory of the image does; `Patchify` gives the order of a convolution. Keeps nothing.
public struct PixelPatches: Operation {
    private let height, width: Int

    /// - Parameters:
    ///   - height: p, pixels.
    ///   - width: q, pixels.
    public init(height: Int, width: Int) {
        self.height = height
        self.width = width
    }

    public func callAsFunction(_ images: Tensor) -> Tensor { images.apply(self) }

    public var keeps: Kept { .nothing }

    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        guard shapes[0].rank == 4, shapes[0][1] % height == 0, shapes[0][2] % width == 0 else {
            throw ShapeError(
                "input \(shapes[0]) is not (batch, height, width, channels) in \(height) × \(width) patches")
        }
        let image = shapes[0].extents
        return [image[0], image[1] / height * (image[2] / width), height * width * image[3]]
    }

    public func forward(_ at: Workspace) {
        let cut = Cut(at.shapes[0], height: height, width: width)
        at.pool.split(cut.lines, grain: 16, (at.inputs[0], at.output, cut)) { arguments, lines in
            let (image, rows, cut) = arguments
            for line in lines {
                cut.forEachPiece(of: line) { pixels, piece in rows[piece].copy(from: image[pixels]) }
            }
        }
    }

    public func backward(_ at: Workspace) {
        guard let gradient = at.inputGradients[0] else { return }
        let cut = Cut(at.shapes[0], height: height, width: width)
        at.pool.split(cut.lines, grain: 16, (gradient, at.outputGradient, cut, at.adds[0])) { arguments, lines in
            let (image, rows, cut, adds) = arguments
            for line in lines {
                cut.forEachPiece(of: line) { pixels, piece in image[pixels].take(rows[piece], adding: adds) }
            }
        }
    }
}

/// The places of the pieces of an image line in the patches.
private struct Cut: Sendable {
    /// Image lines of the batch.
    let lines: Int
    private let patchLines, across, piece: Int

    init(_ image: Shape, height: Int, width: Int) {
        lines = image[0] * image[1]
        patchLines = height
        across = image[2] / width
        piece = width * image[3]
    }

    /// Calls `body` with the floats of each piece in the image and in the rows.
    func forEachPiece(of line: Int, _ body: (_ image: Range<Int>, _ rows: Range<Int>) -> Void) {
        let (band, inside) = (line / patchLines, line % patchLines)
        for column in 0..<across {
            let from = (line * across + column) * piece
            let to = ((band * across + column) * patchLines + inside) * piece
            body(from..<from + piece, to..<to + piece)
        }
    }
}
