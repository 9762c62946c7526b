import CKernels
import COpenBLAS

/// A row-major view of floats as a matrix, or of its transpose. Slices of a wider matrix (one head of an attention,
/// a part of the channels) are views with a `stride` above `columns`.
public struct Matrix: Sendable {
    let floats: Floats
    public let rows: Int
    public let columns: Int
    /// Floats between neighbouring rows of the memory, which are the columns of a transposed view.
    let stride: Int
    let isTransposed: Bool

    /// - Parameter stride: floats between rows; `columns` when absent.
    public init(_ floats: Floats, rows: Int, columns: Int, stride: Int? = nil) {
        let stride = stride ?? columns
        precondition(rows >= 0 && columns >= 0 && stride >= columns, "a row is longer than the stride")
        precondition(rows == 0 || (rows - 1) * stride + columns <= floats.count, "matrix larger than its floats")
        self.init(floats, rows: rows, columns: columns, stride: stride, isTransposed: false)
    }

    private init(_ floats: Floats, rows: Int, columns: Int, stride: Int, isTransposed: Bool) {
        self.floats = floats
        self.rows = rows
        self.columns = columns
        self.stride = stride
        self.isTransposed = isTransposed
    }

    /// The same floats with rows and columns exchanged; nothing moves.
    public var transposed: Matrix {
        Matrix(floats, rows: columns, columns: rows, stride: stride, isTransposed: !isTransposed)
    }

    var panel: Panel { Panel(base: floats.base, stride: stride, isTransposed: isTransposed) }
}

/// The address of a matrix without its extents, for use inside chunk bodies.
struct Panel {
    var base: UnsafeMutablePointer<Float>
    var stride: Int
    var isTransposed = false

    func from(row: Int, column: Int) -> Panel {
        let offset = isTransposed ? column * stride + row : row * stride + column
        return Panel(base: base + offset, stride: stride, isTransposed: isTransposed)
    }

    var transposed: Panel { Panel(base: base, stride: stride, isTransposed: !isTransposed) }
}

extension UnsafePointer<ck_table> {
    /// c = scale·a·b + bias, or c += scale·a·b when `adding`, on the calling thread; a is rows × depth, b is
    /// depth × columns, c is not transposed; rowSums += Σ over the depth of a.
    func multiply(
        _ a: Panel, _ b: Panel, into c: Panel, rows: Int, columns: Int, depth: Int, scale: Float = 1,
        adding: Bool = false, bias: UnsafeMutablePointer<Float>? = nil, rowSums: UnsafeMutablePointer<Float>? = nil
    ) {
        if self == ck_table_for(CK_BASELINE) {
            return multiplyByLibrary(
                a, b, into: c, rows: rows, columns: columns, depth: depth, scale: scale, adding: adding, bias: bias,
                rowSums: rowSums)
        }
        pointee.product.product(
            ck_operand(
                data: a.base, stride: a.isTransposed ? 1 : a.stride, depth_stride: a.isTransposed ? a.stride : 1),
            ck_operand(
                data: b.base, stride: b.isTransposed ? b.stride : 1, depth_stride: b.isTransposed ? 1 : b.stride),
            c.base, c.stride, rows, columns, depth, scale, adding ? 1 : 0, bias, rowSums)
    }

    /// The same by OpenBLAS, which knows the processors that our kernels have no level for.
    private func multiplyByLibrary(
        _ a: Panel, _ b: Panel, into c: Panel, rows: Int, columns: Int, depth: Int, scale: Float, adding: Bool,
        bias: UnsafeMutablePointer<Float>?, rowSums: UnsafeMutablePointer<Float>?
    ) {
        if let bias { pointee.elementwise.fill_rows(bias, c.base, rows, columns, c.stride) }
        cblas_sgemm(
            CblasRowMajor, a.isTransposed ? CblasTrans : CblasNoTrans, b.isTransposed ? CblasTrans : CblasNoTrans,
            numericCast(rows), numericCast(columns), numericCast(depth), scale, a.base, numericCast(max(a.stride, 1)),
            b.base, numericCast(max(b.stride, 1)), adding || bias != nil ? 1 : 0, c.base, numericCast(max(c.stride, 1)))
        guard let rowSums else { return }
        for d in 0..<depth { cblas_saxpy(numericCast(rows), 1, a.base + d * a.stride, 1, rowSums, 1) }
    }
}

/// How a product is cut for several threads: a grid of equal tiles of C.
///
/// Every tile packs its part of both operands again. Tiles are therefore few and large, and rows are cut before columns.
/// A product of some hundred microseconds that is too small for such tiles is still cut in two. The cut does not change
/// a bit of our own products: the sums of an element depend on the depth alone.
struct ProductCut {
    let rows: Int
    let columns: Int
    let rowsPerTile: Int
    let columnsPerTile: Int

    init(rows: Int, columns: Int, depth: Int, isWhole: Bool) {
        self.rows = rows
        self.columns = columns
        guard !isWhole else {
            (rowsPerTile, columnsPerTile) = (rows, columns)
            return
        }
        let work = rows * columns * depth
        var (downs, acrosses) = (1, 1)
        while rows >= 2 * downs * ProductCut.tileRows, work >= 2 * downs * ProductCut.tileWork { downs *= 2 }
        while columns >= 2 * acrosses * ProductCut.tileColumns, work >= 2 * downs * acrosses * ProductCut.tileWork {
            acrosses *= 2
        }
        if downs * acrosses == 1, work >= ProductCut.tileWork, max(rows, columns) >= 192 {
            if rows >= columns { downs = 2 } else { acrosses = 2 }
        }
        // Whole multiples of the register tile, so that only the last tile has ragged edges.
        rowsPerTile = downs == 1 ? rows : ((rows + downs - 1) / downs + 47) / 48 * 48
        columnsPerTile = acrosses == 1 ? columns : ((columns + acrosses - 1) / acrosses + 31) / 32 * 32
    }

    private static let tileRows = 512
    private static let tileColumns = 768
    /// Multiply-adds of a tile: 0.4 ms of one core.
    private static let tileWork = 20_000_000

    var acrosses: Int { columns == 0 ? 1 : (columns + columnsPerTile - 1) / columnsPerTile }
    var downs: Int { (rows + rowsPerTile - 1) / rowsPerTile }
    var tiles: Int { downs * acrosses }

    func ranges(_ tile: Int) -> (rows: Range<Int>, columns: Range<Int>) {
        let top = tile / acrosses * rowsPerTile, left = tile % acrosses * columnsPerTile
        return (top..<min(rows, top + rowsPerTile), left..<min(columns, left + columnsPerTile))
    }
}

extension WorkerPool {
    /// c = scale·a·b, or c += scale·a·b when `adding`. a and b may be transposed views, c may not.
    /// - Parameter rowSums: += Σ over the columns of each row of a, which then is a transposed view. On the way of a
    ///   weight's gradient they are that of the bias. b and c may have no columns.
    public func multiply(
        _ a: Matrix, _ b: Matrix, into c: Matrix, scale: Float = 1, adding: Bool = false, rowSums: Floats? = nil
    ) {
        precondition(a.columns == b.rows && a.rows == c.rows && b.columns == c.columns, "extents do not match")
        precondition(!c.isTransposed, "the result is written row by row")
        precondition(rowSums == nil || a.isTransposed && rowSums?.count == a.rows, "sums of other rows")
        product(
            a.panel, b.panel, into: c.panel, rows: c.rows, columns: c.columns, depth: a.columns, scale: scale,
            adding: adding, bias: nil, rowSums: rowSums?.base)
    }

    /// y = x·Wᵀ + bias.
    /// x: rows × inputs; weight: outputs × inputs; bias: outputs; y: rows × outputs.
    public func linear(
        _ x: Floats, weight: Floats, bias: Floats?, into y: Floats, rows: Int, inputs: Int, outputs: Int
    ) {
        precondition(x.count == rows * inputs && y.count == rows * outputs, "rows of another width")
        precondition(weight.count == outputs * inputs && (bias?.count ?? outputs) == outputs, "weight of another shape")
        product(
            Panel(base: x.base, stride: inputs), Panel(base: weight.base, stride: inputs, isTransposed: true),
            into: Panel(base: y.base, stride: outputs), rows: rows, columns: outputs, depth: inputs, scale: 1,
            adding: false, bias: bias?.base, rowSums: nil)
    }

    private func product(
        _ a: Panel, _ b: Panel, into c: Panel, rows: Int, columns: Int, depth: Int, scale: Float, adding: Bool,
        bias: UnsafeMutablePointer<Float>?, rowSums: UnsafeMutablePointer<Float>?
    ) {
        guard rows > 0, columns > 0 || rowSums != nil else { return }
        // The bits of the library's products do depend on the cut.
        let isWhole = threads == 1 && level != .baseline
        let cut = ProductCut(rows: rows, columns: columns, depth: depth, isWhole: isWhole)
        split(
            cut.tiles, grain: 1,
            (
                kernels: kernels, cut: cut, a: a, b: b, c: c, depth: depth, scale: scale, adding: adding, bias: bias,
                rowSums: rowSums
            )
        ) { job, tiles in
            for tile in tiles {
                let (rows, columns) = job.cut.ranges(tile)
                job.kernels.multiply(
                    job.a.from(row: rows.lowerBound, column: 0), job.b.from(row: 0, column: columns.lowerBound),
                    into: job.c.from(row: rows.lowerBound, column: columns.lowerBound), rows: rows.count,
                    columns: columns.count, depth: job.depth, scale: job.scale, adding: job.adding,
                    bias: job.bias.map { $0 + columns.lowerBound },
                    rowSums: columns.lowerBound == 0 ? job.rowSums.map { $0 + rows.lowerBound } : nil)
            }
        }
    }

    /// Our threads call the library's products side by side; it must not start threads of its own.
    static func holdLibraryToOneThread() { openblas_set_num_threads(1) }
}
