public import Autodiff
public import Kernels

/// y = table[id]: (B, H, W, 1) ids, which floats hold exactly, to (B, H, W, D). Table: [K, D]. Saves the ids as
/// integers; ids get no gradient.
public struct TokenEmbedding: Operation {
    public let table: Parameter

    /// Declares `weight` [codes, width].
    public init(_ scope: Scope, codes: Int, width: Int, init initializer: Initializer) {
        table = scope.parameter("weight", [codes, width], initializer)
    }

    /// D
    public var width: Int { table.shape[1] }

    public func callAsFunction(_ ids: Tensor) -> Tensor { ids.apply(self) }

    public var parameters: [Parameter] { [table] }
    public var keeps: Kept { .nothing }

    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        guard shapes[0].rank == 4, shapes[0].channels == 1 else {
            throw ShapeError("input \(shapes[0]) is not (batch, height, width, 1), one id for each place")
        }
        return Shape(shapes[0].extents.dropLast() + [table.shape[1]])
    }

    public func extra(for shapes: [Shape]) -> Extra { Extra(saved: shapes[0].count) }

    public func forward(_ at: Workspace) {
        let ids = at.saved[0..<at.shapes[0].count].viewed(as: Int32.self)
        for place in 0..<ids.count { ids[place] = Int32(at.inputs[0][place]) }
        at.pool.gatherRows(at.values[0], table: ids, into: at.output, channels: table.shape[1])
    }

    public func backward(_ at: Workspace) {
        guard let gradient = at.gradients[0] else { return }
        at.pool.scatterAddRows(
            at.outputGradient, table: at.saved[0..<at.shapes[0].count].viewed(as: Int32.self), into: gradient,
            adding: at.addsToParameters[0], channels: table.shape[1])
    }
}

/// Scores of all codes for each vector, y·tableᵀ + bias: (…, D) to (…, K). The table is that of an embedding, read here
/// as a constant: no gradient reaches it from this side. Bias: [1, 1, K]. Source: code naver-ai/seit.
public struct CodeScores: Operation {
    private let table, bias: Parameter

    /// Declares `bias`.
    public init(_ scope: Scope, _ embedding: TokenEmbedding) {
        table = embedding.table
        bias = scope.parameter("bias", [1, 1, embedding.table.shape[0]], .zeros)
    }

    public func callAsFunction(_ y: Tensor) -> Tensor { y.apply(self) }

    public var parameters: [Parameter] { [table, bias] }
    public var keeps: Kept { .nothing }

    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        guard shapes[0].channels == table.shape[1] else {
            throw ShapeError("input \(shapes[0]) has last extent \(shapes[0].channels), codes \(table.shape[1])")
        }
        return Shape(shapes[0].extents.dropLast() + [table.shape[0]])
    }

    public func extra(for shapes: [Shape]) -> Extra {
        Extra(backwardScratch: WorkerPool.columnSumScratch(rows: shapes[0].rows, channels: table.shape[0]))
    }

    public func flops(for shapes: [Shape]) -> Int { 2 * shapes[0].rows * table.shape.count }

    public func forward(_ at: Workspace) {
        at.pool.linear(
            at.inputs[0], weight: at.values[0], bias: at.values[1], into: at.output, rows: at.shapes[0].rows,
            inputs: table.shape[1], outputs: table.shape[0])
    }

    public func backward(_ at: Workspace) {
        let (rows, codes, width) = (at.shapes[0].rows, table.shape[0], table.shape[1])
        if let dy = at.inputGradients[0] {
            at.pool.multiply(
                Matrix(at.outputGradient, rows: rows, columns: codes),
                Matrix(at.values[0], rows: codes, columns: width),
                into: Matrix(dy, rows: rows, columns: width), adding: at.adds[0])
        }
        // Whoever comes first in backward stores.
        if let gradient = at.gradients[0], !at.addsToParameters[0] { gradient.fill(0) }
        if let gradient = at.gradients[1] {
            at.pool.columnSums(
                at.outputGradient, rows: rows, channels: codes, into: gradient, adding: at.addsToParameters[1],
                scratch: at.scratch)
        }
    }
}
