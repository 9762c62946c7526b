import CKernels
import Glibc
import Kernels
import Testing

@Suite struct SoftmaxTests {
    @Test(arguments: levels, extents)
    func `softmax equals the plain one`(level: InstructionLevel, extent: (Int, Int)) {
        let (rows, columns) = extent
        let x = draws(rows * columns, seed: 1, spread: 4)
        var plain: [Double] = []
        for row in 0..<rows {
            plain += plainSoftmax(doubles(x[row * columns..<(row + 1) * columns]))
        }
        let found = result(at: level) { pool in
            let y = Floats(zeros: x.count)
            pool.softmax(x, into: y, rows: rows, columns: columns)
            return [y]
        }
        expectClose(found[0], plain, tolerance: 3e-7)
    }

    @Test(arguments: levels)
    func `far logits neither overflow nor leave a trace`(level: InstructionLevel) {
        let pool = WorkerPool(threads: 1, level: level), x = Floats([1e30, -1e30, -.infinity, 3e4, 3e4, -3e4])
        pool.softmax(x, into: x, rows: 2, columns: 3)
        #expect(x.array == [1, 0, 0, 0.5, 0.5, 0])
    }

    @Test(arguments: [(InstructionLevel.baseline, CK_BASELINE), (.v3, CK_V3), (.v4, CK_V4)])
    func `the exponential is good to 2e-7 of its value`(level: InstructionLevel, raw: ck_level) {
        guard level <= .detected else { return }
        let x = Floats((-87_000...88_000).map { Float($0) / 1000 }), y = Floats(zeros: 175_001)
        ck_table_for(raw).pointee.softmax.exponential(x.pointer, y.pointer, x.count)
        let worst = zip(x.array, y.array).map { abs(Double($1) / exp(Double($0)) - 1) }.max() ?? .infinity
        #expect(worst <= 2e-7)
    }
}
