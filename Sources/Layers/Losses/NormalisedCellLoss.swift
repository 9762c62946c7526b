public import Autodiff
public import Kernels

/// Σ over masked cells of the mean of (prediction − (x − μ)/√(σ² + 1e-6))², where μ and the unbiased σ² are those of
/// the cell over all its pixels and channels; to be divided by the number of masked cells.
/// prediction: (B, H·W, C), x: (B, H, W, C) images, m: (B, g, g), 1 = masked; out: (1). Keeps inputs and two numbers a
/// cell. Source: arXiv 2301.03580, code keyu-tian/SparK.
public struct NormalisedCellLoss: Operation {
    public static let epsilon = 1e-6

    public init() {}

    public func callAsFunction(_ prediction: Tensor, _ images: Tensor, mask: Tensor) -> Tensor {
        prediction.apply(self, images, mask)
    }

    public var keeps: Kept { .inputs }

    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        guard shapes[0].count == shapes[1].count, shapes[1].rank == 4 else {
            throw ShapeError("prediction \(shapes[0]) for images \(shapes[1])")
        }
        guard shapes[2].rank == 3, shapes[2][1] == shapes[2][2], shapes[1][1] % shapes[2][1] == 0 else {
            throw ShapeError("mask \(shapes[2]) does not cut images \(shapes[1]) evenly")
        }
        return [1]
    }

    public func extra(for shapes: [Shape]) -> Extra { Extra(saved: 2 * shapes[2].count) }

    public func forward(_ at: Workspace) {
        let cells = ImageCells(at.shapes[1], grid: at.shapes[2][1])
        at.pool.cellStatistics(at.inputs[1], cells: cells, epsilon: Self.epsilon, into: at.saved)
        at.output[0] = Float(
            at.pool.cellLoss(
                at.inputs[0], at.inputs[1], mask: at.inputs[2], statistics: at.saved, cells: cells))
    }

    public func backward(_ at: Workspace) {
        guard let dx = at.inputGradients[0] else { return }
        at.pool.cellLossBackward(
            at.inputs[0], at.inputs[1], mask: at.inputs[2], statistics: at.saved,
            cells: ImageCells(at.shapes[1], grid: at.shapes[2][1]), scale: at.outputGradient[0], into: dx,
            adding: at.adds[0])
    }
}

/// The number of masked cells + 1e-8, the denominator of `NormalisedCellLoss`. m: (B, g, g), 1 = masked; out: (1).
public struct MaskedCellCount: Operation {
    public init() {}

    public func callAsFunction(_ mask: Tensor) -> Tensor { mask.apply(self) }

    public var keeps: Kept { .nothing }
    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape { [1] }
    public func forward(_ at: Workspace) { at.output[0] = Float(at.pool.sum(at.inputs[0]) + 1e-8) }
    public func backward(_ at: Workspace) {}
}

/// Predicted cells with the true mean and standard deviation of each: (B, H·W, C) and images to (B, g·g, C·s·s) rows in
/// the order (c, i, j). For images only: no gradient.
public struct DenormalisedCells: Operation {
    private let cell: Int

    /// - Parameter cell: side in pixels.
    public init(cell: Int) { self.cell = cell }

    public func callAsFunction(_ prediction: Tensor, _ images: Tensor) -> Tensor { prediction.apply(self, images) }

    public var keeps: Kept { .nothing }

    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        guard shapes[0].count == shapes[1].count, shapes[1].rank == 4, shapes[1][1] % cell == 0 else {
            throw ShapeError("prediction \(shapes[0]) for images \(shapes[1]) of cells of \(cell)")
        }
        let grid = shapes[1][1] / cell
        return [shapes[1][0], grid * grid, shapes[1][3] * cell * cell]
    }

    public func extra(for shapes: [Shape]) -> Extra {
        Extra(scratch: 2 * ImageCells(shapes[1], grid: shapes[1][1] / cell).count)
    }

    public func forward(_ at: Workspace) {
        let cells = ImageCells(at.shapes[1], grid: at.shapes[1][1] / cell)
        at.pool.cellStatistics(
            at.inputs[1], cells: cells, epsilon: NormalisedCellLoss.epsilon, into: at.scratch)
        at.pool.cellRows(at.inputs[0], statistics: at.scratch, cells: cells, into: at.output)
    }

    public func backward(_ at: Workspace) {}
}

extension ImageCells {
    fileprivate init(_ images: Shape, grid: Int) {
        self.init(batch: images[0], side: images[1], channels: images[3], cell: images[1] / grid)
    }
}
