import Kernels
import Testing

@Suite struct ReductionTests {
    @Test(arguments: levels, extents)
    func `column sums equal the plain ones`(level: InstructionLevel, extent: (Int, Int)) {
        let (rows, channels) = extent
        let x = draws(rows * channels, seed: 1), start = draws(channels, seed: 2)
        var plain = [Double](repeating: 0, count: channels)
        for (index, value) in doubles(x).enumerated() { plain[index % channels] += value }
        let found = result(at: level) { pool in
            let stored = Floats(zeros: channels), added = Floats(zeros: channels)
            stored.fill(.nan)
            added.copy(from: start)
            let scratch = Floats(zeros: WorkerPool.columnSumScratch(rows: rows, channels: channels))
            scratch.fill(.nan)
            pool.columnSums(x, rows: rows, channels: channels, into: stored, adding: false, scratch: scratch)
            pool.columnSums(x, rows: rows, channels: channels, into: added, adding: true, scratch: scratch)
            return [stored, added]
        }
        expectClose(found[0], plain, tolerance: 1e-6)
        expectClose(found[1], sum(plain, doubles(start)), tolerance: 1e-6)
    }

    @Test(arguments: levels, [0, 1, 7, 33, 100_003, 2_000_001])
    func `sums are Double sums whatever the threads`(level: InstructionLevel, count: Int) {
        let x = draws(count, seed: 1)
        let one = WorkerPool(threads: 1, level: level), three = WorkerPool(threads: 3, level: level)
        let plain = doubles(x).reduce(0, +), squares = doubles(x).reduce(0) { $0 + $1 * $1 }
        // Relative to the sum of sizes, a Double sum is good to about the count's logarithm in last bits.
        #expect(abs(one.sum(x) - plain) <= 1e-12 * Double(count + 1))
        #expect(abs(one.sumOfSquares(x) - squares) <= 1e-12 * Double(count + 1))
        #expect(one.sum(x) == three.sum(x) && one.sumOfSquares(x) == three.sumOfSquares(x))
    }

    @Test(arguments: levels, [Float.nan, .infinity, -.infinity])
    func `one bad element anywhere is found`(level: InstructionLevel, bad: Float) {
        let pool = WorkerPool(threads: 3, level: level), x = draws(70_001, seed: 1)
        x[17] = .greatestFiniteMagnitude
        x[18] = -.leastNonzeroMagnitude
        #expect(pool.isFinite(x) && pool.isFinite(x[0..<0]))
        for index in [0, 33, 40_000, 70_000] {
            let kept = x[index]
            x[index] = bad
            #expect(!pool.isFinite(x), "at \(index)")
            x[index] = kept
        }
    }
}
