import Kernels
import Testing

@Suite struct GELUTests {
    /// From far below to far above zero in steps of 1/1024, with the ends of the float range.
    static let line = Floats((-20_480...20_480).map { Float($0) / 1024 } + [-1e30, 1e30, -1e-30, -0.0])

    @Test(arguments: levels)
    func `GELU is within 2e-7 or the last bit of the exact value`(level: InstructionLevel) {
        let found = result(at: level) { pool in
            let y = Floats(zeros: GELUTests.line.count)
            pool.biasGELU(GELUTests.line, bias: nil, into: y, rows: 1, channels: y.count)
            return [y]
        }[0]
        for (x, y) in zip(GELUTests.line.array, found) {
            let exact = plainGELU(Double(x))
            #expect(abs(Double(y) - exact) <= max(2e-7, Double(y.ulp)), "at \(x)")
        }
    }

    @Test(arguments: levels)
    func `the slope of GELU is within 4e-7 of the exact one`(level: InstructionLevel) {
        let line = GELUTests.line[0..<40_961]
        let ones = Floats(zeros: line.count)
        ones.fill(1)
        let found = result(at: level) { pool in
            let dx = Floats(zeros: line.count)
            pool.biasGELUBackward(
                line, bias: nil, ones, into: dx, adding: false, biasGradient: nil, addingBias: false, rows: 1,
                channels: line.count, scratch: dx)
            return [dx]
        }[0]
        let exact = doubles(line).map { x in (plainGELU(x + 1e-5) - plainGELU(x - 1e-5)) / 2e-5 }
        expectClose(found, exact, tolerance: 4e-7)
    }

    @Test func `not a number stays visible`() {
        let pool = WorkerPool(threads: 1), x = Floats([1, .nan, .infinity, 2]), y = Floats(zeros: 4)
        pool.biasGELU(x, bias: nil, into: y, rows: 2, channels: 2)
        #expect(y[1].isNaN && !y[2].isFinite)
    }

    @Test(arguments: levels, extents)
    func `backward of bias and GELU matches differences`(level: InstructionLevel, extent: (Int, Int)) {
        let (rows, channels) = extent
        let x = draws(rows * channels, seed: 1), bias = draws(channels, seed: 2), dy = draws(x.count, seed: 3)
        let z = x.array.indices.map { Double(x[$0]) + Double(bias[$0 % channels]) }
        let slope = zip(z, doubles(dy)).map { z, d in d * (plainGELU(z + 1e-5) - plainGELU(z - 1e-5)) / 2e-5 }
        var columns = [Double](repeating: 1, count: channels)
        for (index, value) in slope.enumerated() { columns[index % channels] += value }
        let found = result(at: level) { pool in
            let y = Floats(zeros: x.count), dx = Floats(zeros: x.count), db = Floats(zeros: channels)
            let again = Floats(zeros: x.count)
            again.copy(from: x)
            db.fill(1)
            let scratch = Floats(zeros: WorkerPool.biasGELUScratch(rows: rows, channels: channels))
            pool.biasGELU(x, bias: bias, into: y, rows: rows, channels: channels)
            pool.biasGELUBackward(
                x, bias: bias, dy, into: dx, adding: false, biasGradient: db, addingBias: true, rows: rows,
                channels: channels, scratch: scratch)
            pool.biasGELUBackward(
                x, bias: bias, dy, into: again, adding: true, biasGradient: nil, addingBias: false, rows: rows,
                channels: channels, scratch: scratch)
            return [y, dx, db, again]
        }
        expectClose(found[0], z.map(plainGELU), tolerance: 3e-7)
        expectClose(found[1], slope, tolerance: 1e-6)
        expectClose(found[2], columns, tolerance: 1e-6)
        expectClose(found[3], sum(doubles(x), slope), tolerance: 1e-6)
    }
}
