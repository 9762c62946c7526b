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

    /// Name of the line beside others.
    let name: String
    /// Which colour of the page.
    let colour: Int
    /// Ascending in x.
    let points: [Point]

    /// The mean over about a thirtieth of the points around each, as many before as after it so that it does not lag;
    /// at the ends over those that there are. Empty for a short curve, which needs none.
    var smoothed: [Point] {
        guard points.count >= 60 else { return [] }
        // Sums and counts of the finite values before each point.
        var (sums, counts) = ([0.0], [0])
        for point in points {
            sums.append(sums[sums.count - 1] + (point.y ?? 0))
            counts.append(counts[counts.count - 1] + (point.y == nil ? 0 : 1))
        }
        let reach = points.count / 60
        return points.indices.map { index in
            let (start, end) = (max(0, index - reach), min(points.count, index + reach + 1))
            let mean = (sums[end] - sums[start]) / Double(max(1, counts[end] - counts[start]))
            return Point(points[index].x, points[index].y == nil ? nil : mean)
        }
    }
}

extension [Curve.Point] {
    /// The visible points of a long line when each column of pixels shows one stroke: its first, least, greatest and last
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
