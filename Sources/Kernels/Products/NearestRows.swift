extension WorkerPool {
    /// Rows that are compared at once: their scores stay in the second-level cache.
    private static let tile = 64

    /// Floats of scratch that `nearestRows` asks for.
    public static func nearestScratch(rows: Int, codes: Int) -> Int {
        (rows + 1) * codes
    }

    /// ids[r] = the row k of `codes` with the highest x_r·e_k, or with the smallest |x_r − e_k|² where `isDistance`;
    /// the lowest k on ties. x: rows × width; codes: K × width; ids: rows, as whole numbers.
    public func nearestRows(
        _ x: Floats, codes: Floats, into ids: Floats, width: Int, isDistance: Bool, scratch: Floats
    ) {
        precondition(width > 0 && x.count % width == 0 && codes.count % width == 0, "rows of another width")
        let (rows, count) = (x.count / width, codes.count / width)
        precondition(ids.count == rows && count > 0 && count < 1 << 24, "one id for each row")
        precondition(scratch.count >= WorkerPool.nearestScratch(rows: rows, codes: count), "scratch too small")
        // |x − e|² is smallest where x·e − |e|²/2 is highest.
        let halves = scratch.base
        for code in 0..<count {
            var sum = 0.0
            if isDistance {
                for place in code * width..<(code + 1) * width { sum += Double(codes.base[place] * codes.base[place]) }
            }
            halves[code] = Float(sum / 2)
        }
        split(
            rows, grain: WorkerPool.tile,
            (
                x: x.base, codes: codes.base, ids: ids.base, halves: halves, scores: scratch.base + count, width, count,
                kernels
            )
        ) { job, range in
            let (width, count) = (job.5, job.6)
            let scores = job.scores + range.lowerBound * count
            job.7.multiply(
                Panel(base: job.x + range.lowerBound * width, stride: width),
                Panel(base: job.codes, stride: width, isTransposed: true), into: Panel(base: scores, stride: count),
                rows: range.count, columns: count, depth: width)
            for row in 0..<range.count {
                let score = scores + row * count
                var (best, highest) = (0, score[0] - job.halves[0])
                for code in 1..<max(count, 1) where score[code] - job.halves[code] > highest {
                    (best, highest) = (code, score[code] - job.halves[code])
                }
                job.ids[range.lowerBound + row] = Float(best)
            }
        }
    }
}
