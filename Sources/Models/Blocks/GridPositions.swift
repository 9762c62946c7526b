import Glibc

/// Position vectors of a square grid resampled for another one: separable bicubic interpolation with a = −0.75,
/// half-pixel centres and clamped edges, no smoothing. The row of the class token, which comes first, is copied.
public struct PositionResampling: Sendable {
    /// Source rows per target row, and the same for columns.
    private let steps: (row: Double, column: Double)
    private let grid: Int
    private let rows, columns: Int

    /// - Parameter steps: source rows per target row, and the same for columns.
    package init(from grid: Int, to rows: Int, _ columns: Int, steps: (row: Double, column: Double)) {
        (self.steps, self.grid, self.rows, self.columns) = (steps, grid, rows, columns)
    }

    /// The rule for stored weights, square to square: the steps are old/new.
    public static func square(from grid: Int, to new: Int) -> PositionResampling {
        let step = Double(grid) / Double(new)
        return PositionResampling(from: grid, to: new, new, steps: (step, step))
    }

    /// - Parameter table: (grid² + 1) × width.
    /// - Returns: (rows·columns + 1) × width.
    public func callAsFunction(_ table: [Float], width: Int) -> [Float] {
        precondition(table.count == (grid * grid + 1) * width, "a table of another grid")
        var result = Array(table[..<width])
        result.reserveCapacity((rows * columns + 1) * width)
        for row in 0..<rows {
            let down = taps(row, step: steps.row)
            for column in 0..<columns {
                let across = taps(column, step: steps.column)
                var sum = [Double](repeating: 0, count: width)
                for (y, weightY) in down {
                    for (x, weightX) in across {
                        let start = (1 + y * grid + x) * width
                        for channel in 0..<width { sum[channel] += weightY * weightX * Double(table[start + channel]) }
                    }
                }
                result += sum.map { Float($0) }
            }
        }
        return result
    }

    /// The four sources of a target with their weights.
    private func taps(_ target: Int, step: Double) -> [(index: Int, weight: Double)] {
        let source = (Double(target) + 0.5) * step - 0.5
        let first = source.rounded(.down)
        let t = source - first
        let weights = [Self.far(1 + t), Self.near(t), Self.near(1 - t), Self.far(2 - t)]
        return weights.enumerated().map { offset, weight in
            (min(max(Int(first) - 1 + offset, 0), grid - 1), weight)
        }
    }

    private static let a = -0.75
    /// |x| ≤ 1
    private static func near(_ x: Double) -> Double { ((a + 2) * x - (a + 3)) * x * x + 1 }
    /// 1 < |x| < 2
    private static func far(_ x: Double) -> Double { ((a * x - 5 * a) * x + 8 * a) * x - 4 * a }
}

extension [String: StoredWeights] {
    /// Makes the table of this name, (1, 1 + n², width), fit a grid of another side. One of another width stays as it
    /// is, to fail where shapes are compared.
    mutating func resamplePositions(_ name: String, grid: Int, width: Int) {
        guard let table = self[name], table.shape.count == 3, table.shape[2] == width else { return }
        let side = Int(Double(table.shape[1] - 1).squareRoot().rounded())
        guard side != grid, side * side + 1 == table.shape[1] else { return }
        self[name] = StoredWeights(
            shape: [1, grid * grid + 1, width],
            values: PositionResampling.square(from: side, to: grid)(table.values, width: width))
    }
}

/// Fixed position vectors of a grid with a class token, whose row is zero: (grid² + 1) × width.
/// With q = width/4 and ω_j = 10000^(−j/q), the patch at (row r, column c) has [sin cω | cos cω | sin rω | cos rω].
/// Source: code facebookresearch/mae; the first half encodes the column.
package enum SinCosPositions {
    /// - Parameter width: a multiple of 4.
    package static func table(grid: Int, width: Int) -> [Float] {
        let quarter = width / 4
        let frequencies = (0..<quarter).map { pow(10_000, -Double($0) / Double(quarter)) }
        func waves(_ position: Int) -> [Float] {
            let phases = frequencies.map { Double(position) * $0 }
            return phases.map { Float(sin($0)) } + phases.map { Float(cos($0)) }
        }
        var table = [Float](repeating: 0, count: width)
        for row in 0..<grid {
            for column in 0..<grid { table += waves(column) + waves(row) }
        }
        return table
    }
}
