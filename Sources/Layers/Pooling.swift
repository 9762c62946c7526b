import Autodiff
import Kernels

/// Pooling over windows, (B, n, C) to (B, m, C). What reads a masked position reads 0, what reads outside the map
/// reads nothing. Source: code keyu-tian/SparK, whose dense pooling sees the masked map.
public enum Pooling {
    /// The largest value of each window; the first of equal ones gets the gradient.
    public static func max(_ x: GridRows, _ window: Window) -> GridRows {
        pooled(x, window) { MaxPooling(windows: $0) }
    }

    /// The sum over active taps divided by the number of taps, or of those inside the map where padding does not count.
    public static func average(_ x: GridRows, _ window: Window, countsPadding: Bool = true) -> GridRows {
        pooled(x, window) { AveragePooling(windows: $0, countsPadding: countsPadding) }
    }

    private static func pooled<Pool: Operation>(
        _ x: GridRows, _ window: Window, _ operation: (PoolingWindows) -> Pool
    ) -> GridRows {
        let (reads, readers) = (x.cells.reads(window, side: x.side), x.cells.readers(window, side: x.side))
        let side = x.side / window.stride
        let windows = PoolingWindows(
            reads: reads.held(by: 1), readers: readers.held(by: window.stride == 1 ? 1 : 2),
            groups: window.readers.groups, side: side / x.cells.grid, factor: window.stride,
            shape: x.cells.shape(side: side, channels: x.channels))
        let tables = window.stride == 1 ? [reads.tensor] : [reads.tensor, readers.tensor]
        let rows = x.cells.graph.apply(operation(windows), to: [x.rows] + tables.compactMap(\.self))
        return GridRows(rows: rows, side: side, cells: x.cells)
    }
}

/// The tables of a pooling, both ways.
struct PoolingWindows: Sendable {
    let reads, readers: HeldTable
    let groups: [TapProduct.Group]
    let side, factor: Int
    let shape: Shape
}

/// Saves which tap won, a byte a value. Keeps its tables.
struct MaxPooling: Operation {
    let windows: PoolingWindows

    var keeps: Kept { .input(1).union(.input(2)) }
    func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape { windows.shape }
    func extra(for shapes: [Shape]) -> Extra {
        Extra(saved: (windows.shape.count + 3) / 4, scratch: windows.shape.channels)
    }

    func forward(_ at: Workspace) {
        at.pool.maxPool(
            at.inputs[0], windows: windows.reads.table(at), into: at.output,
            winners: at.saved.viewed(as: UInt8.self), channels: windows.shape.channels, scratch: at.scratch)
    }

    func backward(_ at: Workspace) {
        guard let dx = at.inputGradients[0] else { return }
        at.pool.maxPoolBackward(
            at.outputGradient, winners: at.saved.viewed(as: UInt8.self), outputs: windows.readers.table(at),
            groups: windows.groups, side: windows.side, factor: windows.factor, into: dx, adding: at.adds[0],
            channels: windows.shape.channels)
    }
}

/// Saves the reciprocal of each row's divisor. Keeps its tables.
struct AveragePooling: Operation {
    let windows: PoolingWindows
    let countsPadding: Bool

    var keeps: Kept { .input(1).union(.input(2)) }
    func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape { windows.shape }
    func extra(for shapes: [Shape]) -> Extra { Extra(saved: windows.shape.rows) }

    func forward(_ at: Workspace) {
        at.pool.averagePool(
            at.inputs[0], windows: windows.reads.table(at), countsPadding: countsPadding, into: at.output,
            shares: at.saved, channels: windows.shape.channels)
    }

    func backward(_ at: Workspace) {
        guard let dx = at.inputGradients[0] else { return }
        at.pool.averagePoolBackward(
            at.outputGradient, shares: at.saved, outputs: windows.readers.table(at), groups: windows.groups,
            side: windows.side, factor: windows.factor, into: dx, adding: at.adds[0],
            channels: windows.shape.channels)
    }
}
