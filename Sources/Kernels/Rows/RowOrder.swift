import CKernels

/// The rows of every sample in another order: row i of a sample here is its row `table[i]` there.
public struct RowOrder: Sendable {
    public let table: Indices
    /// The way back: row i there is row `inverse[i]` here.
    public let inverse: Indices

    /// - Parameter order: each of 0..<order.count once.
    public init(_ order: [Int]) {
        var inverse = [Int32](repeating: -1, count: order.count)
        for (here, there) in order.enumerated() { inverse[there] = Int32(here) }
        precondition(inverse.allSatisfy { $0 >= 0 }, "a row is missing")
        table = Indices(order.map { Int32($0) })
        self.inverse = Indices(inverse)
    }

    /// Rows of a sample.
    public var count: Int { table.count }

    public var reversed: RowOrder { RowOrder(table: inverse, inverse: table) }

    private init(table: Indices, inverse: Indices) {
        self.table = table
        self.inverse = inverse
    }
}

/// Rows of all samples for the body of a split, which may begin and end within a sample.
struct OrderedRows {
    private let order: UnsafeMutablePointer<Int32>?
    private let perSample: Int

    /// - Parameter perSample: rows of a sample; without it, and without an order, all rows are one piece.
    init(_ order: RowOrder?, rows: Int, perSample: Int? = nil) {
        self.order = order?.table.base
        self.perSample = order?.count ?? perSample ?? max(rows, 1)
        precondition(rows % self.perSample == 0, "rows are no whole samples")
        precondition((perSample ?? self.perSample) == self.perSample, "an order for samples of another size")
    }

    /// Calls `body` for the part of `range` in each sample, with the row to which the entries of the order are added
    /// and with these entries. Without an order that row is the first of the piece.
    @inline(__always) func pieces(
        _ range: Range<Int>, _ body: (_ rows: Range<Int>, _ start: Int, _ order: UnsafeMutablePointer<Int32>?) -> Void
    ) {
        var row = range.lowerBound
        while row < range.upperBound {
            let first = row / perSample * perSample
            let rows = row..<min(range.upperBound, first + perSample)
            body(rows, order == nil ? row : first, order.map { $0 + (row - first) })
            row = rows.upperBound
        }
    }
}

extension WorkerPool {
    /// y = x with the rows of every sample in `order`, or y += when `adding`.
    /// x, y: (samples·order.count) × channels.
    public func reorderRows(_ x: Floats, _ order: RowOrder, into y: Floats, adding: Bool = false, channels: Int) {
        precondition(channels > 0 && x.count % (order.count * channels) == 0 && y.count == x.count, "row counts")
        let rows = x.count / channels
        split(
            rows, grain: chunkRows(channels),
            (
                kernels: kernels, x: x.base, rows: OrderedRows(order, rows: rows), y: y.base,
                adding: adding ? 1 as Int32 : 0, channels: channels
            )
        ) { job, range in
            job.rows.pieces(range) { rows, start, order in
                guard let order else { return }
                job.kernels.pointee.gather.gather_rows(
                    job.x + start * job.channels, order, job.y + rows.lowerBound * job.channels, job.adding,
                    rows.count, job.channels)
            }
        }
    }
}
