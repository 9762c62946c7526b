public import Autodiff
public import Kernels

/// Feature vectors at the positions of square maps: at all of them, row-major, or at those of the active cells only,
/// cell by cell.
public struct GridRows {
    /// (B, n, C); (n, C) where images show different numbers of cells.
    public let rows: Tensor
    /// Positions along a side of the dense feature map.
    public let side: Int
    public let cells: ActiveCells

    public init(rows: Tensor, side: Int, cells: ActiveCells) {
        (self.rows, self.side, self.cells) = (rows, side, cells)
    }

    public var channels: Int { rows.shape.channels }
    /// Positions along a side of a cell.
    var tile: Int { side / cells.grid }

    /// Shows the rows to whoever watches the recording.
    public func feature(_ kind: IntermediateFeature.Kind, _ name: String) -> GridRows { map { $0.feature(kind, name) } }

    /// The same positions with other vectors.
    public func map(_ layer: (Tensor) -> Tensor) -> GridRows {
        GridRows(rows: layer(rows), side: side, cells: cells)
    }
}

/// The cells of a batch that a network computes. Its tables tell which rows a window reads; layers of the same geometry
/// share them. They are values of the graph, computed from the mask in each step by operations: the planner then knows
/// how long they live. Their words are Int32, among the floats of other values.
/// Source of the layout: arXiv 2301.03580; compact rows compute what dense layers times the mask give.
public final class ActiveCells {
    public let batch: Int
    /// Cells along a side of the map; 1 where all positions are active.
    public let grid: Int
    /// Active cells of the batch.
    public let count: Int
    let graph: Graph
    /// (B, g, g), 1 = masked; nil where all positions are active.
    public let mask: Tensor?
    private let isEven: Bool
    private let numbers: Tensor?
    private var tables: [Key: WindowSource] = [:]
    private var all: ActiveCells?

    private enum Key: Hashable {
        case reads(Window, side: Int), readers(Window, side: Int), image(Window, side: Int)
        case places(side: Int), around(Window, side: Int)
    }

    /// Every position of every image.
    public init(all batch: Int, in graph: Graph) {
        (self.batch, self.graph) = (batch, graph)
        (grid, count, isEven, mask, numbers) = (1, batch, true, nil, nil)
    }

    /// The cells where the mask (B, g, g) is 0.
    /// - Parameters:
    ///   - visible: visible cells of each image.
    public convenience init(mask: Tensor, visible: Int) {
        self.init(mask: mask, total: mask.shape[0] * visible, isEven: true)
    }

    /// - Parameters:
    ///   - total: cells with a 0 in the whole batch.
    ///   - isEven: every image shows as many.
    public init(mask: Tensor, total: Int, isEven: Bool) {
        precondition(mask.shape.rank == 3 && mask.shape[1] == mask.shape[2], "a mask is (batch, grid, grid)")
        precondition(total > 0 && (!isEven || total % mask.shape[0] == 0), "some cells are shown")
        (batch, grid, count) = (mask.shape[0], mask.shape[1], total)
        (self.mask, self.isEven, graph) = (mask, isEven, mask.graph)
        numbers = mask.apply(
            NumberedCells(cells: total, visible: isEven ? total / mask.shape[0] : nil))
    }

    /// Every position of the same batch; one object, so that layers share its tables.
    public var whole: ActiveCells {
        if mask == nil { return self }
        if let all { return all }
        let whole = ActiveCells(all: batch, in: graph)
        all = whole
        return whole
    }

    /// The shape of rows over the active positions of maps of `side`.
    public func shape(side: Int, channels: Int) -> Shape {
        let rows = count * (side / grid) * (side / grid)
        return isEven ? [batch, rows / batch, channels] : [rows, channels]
    }

    /// The input rows of the taps, for each output row of a window over maps of `side`.
    func reads(_ window: Window, side: Int) -> WindowSource {
        let (tile, sourceTile) = (side / window.stride / grid, side / grid)
        precondition(
            side % (grid * window.stride) == 0 && window.divides(side), "\(window) does not fit a side of \(side)")
        return table(.reads(window, side: side)) {
            .reach(.init(tile: tile, sourceTile: sourceTile, scale: window.stride, taps: window.reads))
        }
    }

    /// The output rows that read the input positions below an output row, in the columns of `Window.readers`.
    func readers(_ window: Window, side: Int) -> WindowSource {
        if window.stride == 1 { return reads(window, side: side) }
        let tile = side / window.stride / grid
        return table(.readers(window, side: side)) {
            .reach(.init(tile: tile, sourceTile: tile, scale: 1, taps: window.readers.taps))
        }
    }

    /// The first pixel of each line of a window over padded images of `side`, for each output row.
    func imageLines(_ window: Window, side: Int) -> WindowSource {
        precondition(
            side % (grid * window.stride) == 0 && window.divides(side), "\(window) does not fit a side of \(side)")
        precondition(window.dilation == 1, "a line of pixels has no gaps")
        return table(.image(window, side: side)) {
            .image(
                .init(
                    tile: side / window.stride / grid, kernel: window.kernel, stride: window.stride,
                    side: side + 2 * window.padding))
        }
    }

    /// The row at each position of dense feature maps, or none.
    func places(side: Int) -> WindowSource { table(.places(side: side)) { .places(tile: side / grid) } }

    /// The positions of a window around each row in the dense feature maps.
    func around(_ window: Window, side: Int) -> WindowSource {
        precondition(window.stride == 1 && window.divides(side), "\(window) does not keep a side of \(side)")
        return table(.around(window, side: side)) { .around(.init(tile: side / grid, taps: window.reads)) }
    }

    private func table(_ key: Key, _ kind: () -> WindowTableOperation.Kind) -> WindowSource {
        if let found = tables[key] { return found }
        let source: WindowSource
        if let numbers {
            let operation = WindowTableOperation(kind: kind(), grid: grid, batch: batch, cells: count)
            source = WindowSource(
                fixed: nil, taps: operation.taps, rows: operation.rows, sources: operation.sources,
                tensor: numbers.apply(operation))
        } else {
            let fixed = fixedTable(kind())
            source = WindowSource(
                fixed: fixed, taps: fixed.taps, rows: fixed.rows, sources: fixed.sources, tensor: nil)
        }
        tables[key] = source
        return source
    }

    /// A table over as many whole images as give a few thousand rows; it repeats over the batch.
    private func fixedTable(_ kind: WindowTableOperation.Kind) -> WindowTable {
        let rows = kind.tile * kind.tile
        var images = max(1, min(batch, 4096 / rows))
        while batch % images != 0 { images -= 1 }
        let cells = CellNumbers.all(batch: images, grid: 1)
        switch kind {
        case .reach(let reach): return reach.table(over: cells)
        case .image(let windows): return windows.table(over: cells)
        case .places, .around: preconditionFailure("a dense feature map needs no filling")
        }
    }
}

/// A table of windows in a graph: the same in every step, or computed from the mask of the step.
struct WindowSource {
    let fixed: WindowTable?
    let taps, rows, sources: Int
    let tensor: Tensor?

    /// The table as an operation keeps it.
    func held(by input: Int) -> HeldTable {
        HeldTable(fixed: fixed, taps: taps, rows: rows, sources: sources, input: input)
    }
}

/// The table of an operation: its own, or one of its inputs.
struct HeldTable: Sendable {
    let fixed: WindowTable?
    let taps, rows, sources: Int
    let input: Int

    func table(_ at: Workspace) -> WindowTable {
        fixed
            ?? WindowTable(
                entries: at.inputs[input].viewed(as: Int32.self), taps: taps, rows: rows, sources: sources)
    }
}

/// The number of each cell and the place of each active one: (B, g, g) to B·g·g + cells words. No gradient.
struct NumberedCells: Operation {
    let cells: Int
    /// Visible cells of each image, where all have as many.
    let visible: Int?

    var keeps: Kept { .nothing }
    func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape { [shapes[0].count + cells] }

    func forward(_ at: Workspace) {
        CellNumbers(at.output, batch: at.shapes[0][0], grid: at.shapes[0][1]).number(
            mask: at.inputs[0], visible: visible)
    }

    func backward(_ at: Workspace) {}
}

extension CellNumbers {
    /// The words that `NumberedCells` writes.
    fileprivate init(_ floats: Floats, batch: Int, grid: Int) {
        let words = floats.viewed(as: Int32.self)
        let cells = batch * grid * grid
        self.init(grid: grid, numbers: words[0..<cells], places: words[cells..<words.count])
    }
}

/// A table over the active cells, (rows, taps) words, from their numbers. No gradient.
struct WindowTableOperation: Operation {
    enum Kind: Sendable {
        case reach(WindowReach)
        case image(ImageWindows)
        case around(MapWindows)
        case places(tile: Int)

        var tile: Int {
            switch self {
            case .reach(let reach): reach.tile
            case .image(let windows): windows.tile
            case .around(let windows): windows.tile
            case .places(let tile): tile
            }
        }
    }

    let kind: Kind
    let grid, batch, cells: Int

    var taps: Int {
        switch kind {
        case .reach(let reach): reach.taps
        case .image(let windows): windows.kernel
        case .around(let windows): windows.taps
        case .places: 1
        }
    }
    var rows: Int {
        switch kind {
        case .reach, .image, .around: cells * kind.tile * kind.tile
        case .places: batch * grid * grid * kind.tile * kind.tile
        }
    }
    var sources: Int {
        switch kind {
        case .reach(let reach): cells * reach.sourceTile * reach.sourceTile
        case .image(let windows): batch * windows.side * windows.side
        case .around(let windows): batch * grid * grid * windows.tile * windows.tile
        case .places(let tile): cells * tile * tile
        }
    }

    var keeps: Kept { .nothing }
    func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape { [rows, taps] }

    func forward(_ at: Workspace) {
        let numbers = CellNumbers(at.inputs[0], batch: batch, grid: grid)
        let entries = at.output.viewed(as: Int32.self)
        switch kind {
        case .reach(let reach): at.pool.fill(entries, reach: reach, cells: numbers)
        case .image(let windows): at.pool.fill(entries, windows: windows, cells: numbers)
        case .around(let windows): at.pool.fill(entries, around: windows, cells: numbers)
        case .places(let tile): at.pool.fillPlaces(entries, tile: tile, cells: numbers)
        }
    }

    func backward(_ at: Workspace) {}
}
