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

/// The codes in place of the rows that chose them: x (B, N, D), ids (B, N), codes (K, D) to (B, N, D). The gradient
/// passes straight through to x, and none reaches the codes: detach those that are trained. Keeps nothing.
public struct CodeRows: Operation {
    /// Buffer of updates: while it holds 0 there are no codes yet, and rows pass as they are.
    private let switchedOn: RegisteredBuffer?

    public init(switchedOn: RegisteredBuffer? = nil) { self.switchedOn = switchedOn }

    public func callAsFunction(_ x: Tensor, _ ids: Tensor, _ codes: Tensor) -> Tensor { x.apply(self, ids, codes) }

    public var buffers: [RegisteredBuffer] { switchedOn.map { [$0] } ?? [] }
    public var keeps: Kept { .nothing }
    public var passesGradientTo: Int? { 0 }

    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        guard shapes[1].count == shapes[0].rows, shapes[2].channels == shapes[0].channels else {
            throw ShapeError("numbers \(shapes[1]) of codes \(shapes[2]) for rows \(shapes[0])")
        }
        return shapes[0]
    }

    public func forward(_ at: Workspace) {
        if let on = at.buffers.first, on[0] == 0 { return at.pool.copy(at.inputs[0], into: at.output) }
        at.pool.split(
            at.shapes[0].rows, grain: 256, (at.inputs[1], at.inputs[2], at.output, at.shapes[0].channels)
        ) { arguments, rows in
            let (ids, codes, y, D) = arguments
            for row in rows {
                let code = Int(ids[row])
                y[row * D..<(row + 1) * D].copy(from: codes[code * D..<(code + 1) * D])
            }
        }
    }

    public func backward(_ at: Workspace) {
        precondition(at.inputGradients[2] == nil, "detach the codes")
    }
}
