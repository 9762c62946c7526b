/// The cubic spline through values at given points with not-a-knot ends: the first two pieces are one polynomial, and
/// the last two. Outside the points it keeps the value of the end.
struct CubicSpline {
    private let points: [Double]
    /// Second derivatives at the points from the values, points × points.
    private let curvatures: [[Double]]

    /// - Parameter points: rising, an odd number of them; one gives a constant, three a parabola.
    init(_ points: [Double]) {
        self.points = points
        let count = points.count
        let unit = (0..<count).map { row in (0..<count).map { $0 == row ? 1.0 : 0 } }
        guard count > 2 else {
            curvatures = unit.map { $0.map { _ in 0 } }
            return
        }
        let steps = zip(points.dropFirst(), points).map { $0 - $1 }
        var left = unit.map { $0.map { _ in 0.0 } }
        var right = left
        for row in 1..<count - 1 {
            let (before, after) = (steps[row - 1], steps[row])
            (left[row][row - 1], left[row][row], left[row][row + 1]) = (before, 2 * (before + after), after)
            right[row][row - 1] = 6 / before
            right[row][row] = -6 / before - 6 / after
            right[row][row + 1] = 6 / after
        }
        let last = count - 1
        if count == 3 {
            // One polynomial through all three: the curvature is the same everywhere.
            (left[0][0], left[0][1]) = (1, -1)
            (left[2][1], left[2][2]) = (1, -1)
        } else {
            (left[0][0], left[0][1], left[0][2]) = (steps[1], -steps[0] - steps[1], steps[0])
            let (before, after) = (steps[last - 2], steps[last - 1])
            (left[last][last - 2], left[last][last - 1], left[last][last]) = (after, -before - after, before)
        }
        curvatures = Self.solution(of: left, right)
    }

    /// The factors of the values at `places`, places × points.
    func weights(at places: [Double]) -> [[Double]] {
        places.map { place in
            guard points.count > 1 else { return [1] }
            let place = min(max(place, points[0]), points[points.count - 1])
            let piece = min(points.lastIndex { $0 <= place } ?? 0, points.count - 2)
            let step = points[piece + 1] - points[piece]
            let (near, far) = ((points[piece + 1] - place) / step, (place - points[piece]) / step)
            let bends = zip(curvatures[piece], curvatures[piece + 1]).map { first, second in
                ((near * near * near - near) * first + (far * far * far - far) * second) * step * step / 6
            }
            return bends.enumerated().map { $1 + ($0 == piece ? near : $0 == piece + 1 ? far : 0) }
        }
    }

    /// X with left·X = right, by elimination with row exchange; `left` is square and regular.
    private static func solution(of left: [[Double]], _ right: [[Double]]) -> [[Double]] {
        var rows = zip(left, right).map { $0 + $1 }
        let count = left.count
        for column in 0..<count {
            let pivot = (column..<count).max { abs(rows[$0][column]) < abs(rows[$1][column]) } ?? column
            rows.swapAt(column, pivot)
            for row in 0..<count where row != column {
                let factor = rows[row][column] / rows[column][column]
                guard factor != 0 else { continue }
                for index in column..<2 * count { rows[row][index] -= factor * rows[column][index] }
            }
        }
        return rows.enumerated().map { number, row in row[count...].map { $0 / row[number] } }
    }
}
