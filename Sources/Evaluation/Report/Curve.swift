/// A measure over the steps of a run.
struct Curve: Sendable {
    struct Point: Equatable, Sendable {
        /// The step, or where the point lies on the chart.
        var x: Double
        /// Nil where the number was not finite.
        var y: Double?

        init(_ x: Double, _ y: Double?) {
            self.x = x
            self.y = y.flatMap { $0.isFinite ? $0 : nil }
        }
    }

    /// What the line is called beside others.
    let name: String
    /// Which colour of the page.
    let colour: Int
    /// Ascending in x.
    let points: [Point]

    /// Exponential moving average over about a twentieth of the points, free of the pull towards its start; empty for a
    /// short curve, which needs none.
    var smoothed: [Point] {
        guard points.count >= 60 else { return [] }
        let keep = 1 - 2 / (Double(points.count) / 20 + 1)
        var (sum, weight) = (0.0, 0.0)
        return points.map { point in
            guard let y = point.y else { return point }
            sum = keep * sum + (1 - keep) * y
            weight = keep * weight + (1 - keep)
            return Point(point.x, sum / weight)
        }
    }
}

extension [Curve.Point] {
    /// What of a long line can be seen when each column of pixels shows one stroke: its first, least, greatest and last
    /// point, so that no spike is lost. x: pixels.
    var thinned: [Curve.Point] {
        var kept: [Curve.Point] = []
        var start = startIndex
        while start < endIndex {
            let column = self[start].x.rounded(.down)
            var end = start
            var picks = [start]
            // A gap stays one: it ends the stroke.
            while end < endIndex, self[end].y != nil, self[end].x.rounded(.down) == column { end += 1 }
            if end == start {
                end += 1
            } else {
                let least = (start..<end).min { (self[$0].y ?? 0) < (self[$1].y ?? 0) } ?? start
                let greatest = (start..<end).max { (self[$0].y ?? 0) < (self[$1].y ?? 0) } ?? start
                picks = Set([start, least, greatest, end - 1]).sorted()
            }
            kept += picks.map { self[$0] }
            start = end
        }
        return kept
    }
}
