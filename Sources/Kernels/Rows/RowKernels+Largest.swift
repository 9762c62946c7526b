extension WorkerPool {
    /// places[r] = the column of the largest value among the first `count` of row r, the first on ties, as a float.
    /// x: rows × columns; places: rows.
    public func largestColumns(_ x: Floats, into places: Floats, columns: Int, among count: Int) {
        precondition(columns > 0 && columns < 1 << 24 && x.count == places.count * columns, "rows of another width")
        precondition((1...columns).contains(count), "some of the columns")
        split(
            places.count, grain: chunkRows(columns), (x: x.base, places: places.base, columns: columns, count: count)
        ) { job, rows in
            for row in rows {
                let values = job.x + row * job.columns
                var best = 0
                for column in 1..<max(job.count, 1) where values[column] > values[best] { best = column }
                job.places[row] = Float(best)
            }
        }
    }
}
