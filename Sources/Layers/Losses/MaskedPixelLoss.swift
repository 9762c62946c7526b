public import Autodiff
public import Kernels

/// Sum over hidden pixels of |x − y|: Σ |x − y|·m, to be divided by `MaskedPixelCount`.
/// x, y: (B, g·g, C·σ·σ), a row is the σ×σ block under one feature in the order (c, i, j); m: (B, k·g, k·g) cells of
/// σ/k pixels, 1 = hidden; out: (1). The gradient at |0| is 0. Keeps inputs.
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
        let cells = Cells(pixels: pixels, mask: mask, channels: channels)
        guard mask == [pixels[0], cells.side * cells.perBlock, cells.side * cells.perBlock],
            cells.side * cells.side == pixels[1], channels * cells.block * cells.block == pixels[2],
            cells.perBlock > 0, cells.block % cells.perBlock == 0
        else { throw ShapeError("mask \(mask) does not cut the blocks \(pixels) of \(channels) channels evenly") }
        return [1]
    }

    public func extra(for shapes: [Shape]) -> Extra {
        let cells = Cells(pixels: shapes[0], mask: shapes[2], channels: channels)
        let sums = WorkerPool.maskedAbsoluteErrorScratch(count: shapes[0].count)
        return Extra(scratch: sums + cells.runs, backwardScratch: cells.runs)
    }

    public func forward(_ at: Workspace) {
        let cells = Cells(pixels: at.shapes[0], mask: at.shapes[2], channels: channels)
        let mask = cells.spread(at.inputs[2], into: at.scratch[0..<cells.runs], at.pool)
        at.output[0] = Float(
            at.pool.maskedAbsoluteError(
                at.inputs[0], at.inputs[1], mask: mask, scratch: at.scratch[cells.runs..<at.scratch.count]))
    }

    public func backward(_ at: Workspace) {
        guard let dx = at.inputGradients[0] else { return }
        let cells = Cells(pixels: at.shapes[0], mask: at.shapes[2], channels: channels)
        let mask = cells.spread(at.inputs[2], into: at.scratch[0..<cells.runs], at.pool)
        at.pool.maskedAbsoluteErrorBackward(
            at.inputs[0], at.inputs[1], mask: mask, scale: at.outputGradient[0], into: dx, adding: at.adds[0])
    }
}

/// How the cells of a mask lie over the rows of predicted pixels.
private struct Cells {
    /// Blocks along a side of the image.
    let side: Int
    /// Pixels along a side of a block.
    let block: Int
    /// Cells along a side of a block.
    let perBlock: Int
    let channels: Int
    let rows: Int

    init(pixels: Shape, mask: Shape, channels: Int) {
        rows = pixels.rows
        side = Self.root(pixels[1])
        block = Self.root(pixels[2] / max(1, channels))
        perBlock = side > 0 && mask.rank == 3 ? mask[1] / side : 0
        self.channels = channels
    }

    /// Floats of a mask with one number per run of pixels that share a cell; 0 where a row lies in one cell.
    var runs: Int { perBlock == 1 ? 0 : rows * channels * block * perBlock }

    /// One number per equal run of pixels: the mask itself where a row is one cell.
    func spread(_ mask: Floats, into runs: Floats, _ pool: WorkerPool) -> Floats {
        if perBlock == 1 { return mask }
        pool.split(rows, grain: 16, (self, mask, runs)) { arguments, range in
            let (cells, mask, runs) = arguments
            for row in range { cells.spread(row, mask, into: runs) }
        }
        return runs
    }

    private func spread(_ row: Int, _ mask: Floats, into runs: Floats) {
        let (sample, place) = row.quotientAndRemainder(dividingBy: side * side)
        let (down, right) = place.quotientAndRemainder(dividingBy: side)
        var run = row * channels * block * perBlock
        for _ in 0..<channels {
            for line in 0..<block {
                let cellRow = (sample * side + down) * perBlock + line / (block / perBlock)
                let start = (cellRow * side + right) * perBlock
                for cell in 0..<perBlock { runs[run + cell] = mask[start + cell] }
                run += perBlock
            }
        }
    }

    private static func root(_ square: Int) -> Int { Int(Double(square).squareRoot().rounded()) }
}
