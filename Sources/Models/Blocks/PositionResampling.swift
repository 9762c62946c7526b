import Glibc

/// Position vectors of a square grid resampled for another one: separable bicubic interpolation with a = −0.75,
/// half-pixel centres and clamped edges, no smoothing. The row of the class token, which comes first, is copied.
public struct PositionResampling: Sendable {
    /// Source rows per target row, and the same for columns.
    private let steps: (row: Double, column: Double)
    private let grid: Int
    private let rows, columns: Int

    /// The rule for stored weights, square to square: the steps are old/new.
    public static func square(from grid: Int, to new: Int) -> PositionResampling {
        PositionResampling(
            steps: (Double(grid) / Double(new), Double(grid) / Double(new)), grid: grid, rows: new, columns: new)
    }

    /// The rule for looking at images of another size: the reference adds 0.1 to the new extents before it divides,
    /// against rounding, and the 0.1 stays in the steps.
    public static func looking(from grid: Int, to rows: Int, _ columns: Int) -> PositionResampling {
        PositionResampling(
            steps: (Double(grid) / (Double(rows) + 0.1), Double(grid) / (Double(columns) + 0.1)), grid: grid,
            rows: rows, columns: columns)
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
