import Glibc

/// Tables of relative position biases for windows or grids of another size: a geometric spacing of the old offsets that
/// spans the new ones, and the tensor-product cubic spline through them. Linear in the table, so it is a matrix.
/// Source: microsoft/SimMIM, which has it from BEiT.
public struct PositionBiasResampling: Sendable {
    /// Growth of the spacing from one offset to the next.
    public let ratio: Double
    /// The old offsets along an axis.
    public let sources: [Double]
    /// The new offsets.
    public let targets: [Double]
    /// New values along an axis from old ones, targets × sources.
    private let weights: [[Double]]

    /// - Parameters:
    ///   - source: offsets along an axis of the old table, odd.
    ///   - target: side of the new table's window.
    public init(from source: Int, to target: Int) {
        precondition(source > 0 && target > 0 && source % 2 == 1 && target % 2 == 1, "offsets are symmetric about 0")
        let (steps, reach) = (source / 2, target / 2)
        var (low, high, ratio) = (1.01, 1.5, 1.01)
        while high - low > 1e-6 {
            ratio = (low + high) / 2
            if (1 - pow(ratio, Double(steps))) / (1 - ratio) > Double(reach) { high = ratio } else { low = ratio }
        }
        var positive: [Double] = []
        for step in 0..<steps { positive.append((positive.last ?? 0) + pow(ratio, Double(step))) }
        self.ratio = ratio
        sources = positive.reversed().map { -$0 } + [0] + positive
        targets = (-reach...reach).map { Double($0) }
        weights = CubicSpline(sources).weights(at: targets)
    }

    /// One head's table, sources × sources row-major, at targets × targets.
    public func callAsFunction(_ table: [Double]) -> [Double] {
        precondition(table.count == sources.count * sources.count, "a table of another size")
        let rows = (0..<sources.count).map { row in
            weights.map { weights in
                zip(weights, table[row * sources.count..<(row + 1) * sources.count]).reduce(0) { $0 + $1.0 * $1.1 }
            }
        }
        return weights.flatMap { down in
            targets.indices.map { column in zip(down, rows).reduce(0) { $0 + $1.0 * $1.1[column] } }
        }
    }

    /// Tables that a model makes anew and that no file decides.
    static func isDerived(_ name: String) -> Bool {
        ["relative_position_index", "relative_coords_table", "attn_mask"].contains { name.hasSuffix($0) }
    }
}

extension [String: StoredWeights] {
    /// Stretches the table of this name to side² offsets. One of another number of heads stays as it is, to fail where
    /// shapes are compared.
    /// - Parameter others: rows at the end that have no offset and are copied.
    mutating func resampleBiases(_ name: String, side: Int, heads: Int, others: Int) {
        guard let table = self[name], table.shape.count == 2, table.shape[1] == heads else { return }
        let offsets = table.shape[0] - others
        let old = Int(Double(Swift.max(offsets, 0)).squareRoot().rounded())
        guard old != side, old * old == offsets, old % 2 == 1 else { return }
        let resampling = PositionBiasResampling(from: old, to: side)
        let columns = (0..<heads).map { head in
            resampling((0..<offsets).map { Double(table.values[$0 * heads + head]) })
        }
        let values = (0..<side * side).flatMap { offset in columns.map { Float($0[offset]) } }
        self[name] = StoredWeights(
            shape: [side * side + others, heads], values: values + table.values[(offsets * heads)...])
    }
}
