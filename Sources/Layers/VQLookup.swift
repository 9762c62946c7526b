public import Autodiff
public import Kernels

/// VQ lookup: the number of the closest code for every row, as a float: (B, N, D) and codes (K, D) to (B, N). The
/// highest cosine of L2-normalized rows, or the smallest distance; the lowest number on ties. No gradient.
public struct VQLookup: Operation {
    private let isDistance: Bool

    /// - Parameter isDistance: codes are compared by distance, not by their product with the row.
    public init(isDistance: Bool) { self.isDistance = isDistance }

    public func callAsFunction(_ rows: Tensor, among codes: Tensor) -> Tensor { rows.apply(self, codes) }

    public var keeps: Kept { .nothing }
    public var stopsGradient: Bool { true }

    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        guard shapes[1].rank == 2, shapes[0].channels == shapes[1].channels else {
            throw ShapeError("rows \(shapes[0]) and codes \(shapes[1]) have different widths")
        }
        return Shape(Array(shapes[0].extents.dropLast()))
    }

    public func extra(for shapes: [Shape]) -> Extra {
        Extra(scratch: WorkerPool.nearestScratch(rows: shapes[0].rows, codes: shapes[1].rows))
    }

    public func flops(for shapes: [Shape]) -> Int { 2 * shapes[0].count * shapes[1].rows }

    public func forward(_ at: Workspace) {
        at.pool.nearestRows(
            at.inputs[0], codes: at.inputs[1], into: at.output, width: at.shapes[0].channels, isDistance: isDistance,
            scratch: at.scratch)
    }

    public func backward(_ at: Workspace) { preconditionFailure("a number of a code has no gradient") }
}
