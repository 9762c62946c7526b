public import Autodiff
public import Kernels

/// Dense feature maps from active rows: one learned vector stands at every masked position. (B, n, C) to (B, side², C).
/// Inputs: x, the row of each position, the position of each row. Keeps the tables. Source: SparK's densify.
public struct Densification: Operation {
    private let token: Parameter
    private let places, positions: HeldTable
    private let shape: Shape

    /// - Parameter token: as many values as x has channels.
    public static func fill(_ x: GridRows, with token: Parameter) -> GridRows {
        let cells = x.cells
        guard cells.mask != nil else { preconditionFailure("a dense feature map has no masked position") }
        let (places, positions) = (cells.places(side: x.side), cells.around(Window(1), side: x.side))
        let operation = Densification(
            token: token, places: places.held(by: 1), positions: positions.held(by: 2),
            shape: [cells.batch, x.side * x.side, x.channels])
        let rows = cells.graph.apply(operation, to: [x.rows, places.tensor, positions.tensor].compactMap(\.self))
        return GridRows(rows: rows, side: x.side, cells: cells.whole)
    }

    private init(token: Parameter, places: HeldTable, positions: HeldTable, shape: Shape) {
        (self.token, self.places, self.positions, self.shape) = (token, places, positions, shape)
    }

    public var parameters: [Parameter] { [token] }
    public var keeps: Kept { .input(1).union(.input(2)) }

    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        guard shapes[0].channels == token.shape.count else {
            throw ShapeError("input \(shapes[0]) has last extent \(shapes[0].channels), token \(token.shape.count)")
        }
        return shape
    }

    public func extra(for shapes: [Shape]) -> Extra {
        Extra(backwardScratch: WorkerPool.fillScratch(rows: shape.rows, channels: shape.channels))
    }

    public func forward(_ at: Workspace) {
        at.pool.fillRows(at.inputs[0], table: places.table(at), token: at.values[0], into: at.output)
    }

    public func backward(_ at: Workspace) {
        if let dx = at.inputGradients[0] {
            at.pool.gatherRows(
                at.outputGradient, table: positions.table(at).entries, into: dx, adding: at.adds[0],
                channels: shape.channels)
        }
        if let gradient = at.gradients[0] {
            at.pool.fillRowsBackward(
                at.outputGradient, table: places.table(at), into: gradient, adding: at.addsToParameters[0],
                scratch: at.scratch)
        }
    }
}
