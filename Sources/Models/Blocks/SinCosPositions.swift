import Glibc

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
