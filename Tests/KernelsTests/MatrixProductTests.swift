import Kernels
import Testing

@Suite struct MatrixProductTests {
    /// Rows, columns, depth: odd ones, one that is cut along rows, one along columns, one along both.
    static let products = [
        (1, 1, 1), (7, 33, 5), (33, 7, 129), (400, 70, 300), (70, 400, 300), (900, 850, 33), (30, 1100, 70),
    ]

    @Test(arguments: products, [(false, false), (false, true), (true, false), (true, true)])
    func `a product equals the plain one for every pair of transposes`(
        extents: (Int, Int, Int), transposes: (Bool, Bool)
    ) {
        let (rows, columns, depth) = extents
        let a = draws(rows * depth, seed: 1), b = draws(depth * columns, seed: 2),
            start = draws(rows * columns, seed: 3)
        let aPlain = transposes.0 ? plainTranspose(doubles(a), rows: depth, columns: rows) : doubles(a)
        let bPlain = transposes.1 ? plainTranspose(doubles(b), rows: columns, columns: depth) : doubles(b)
        let plain = plainProduct(aPlain, bPlain, rows: rows, columns: columns, depth: depth)
        let found = levels.map { level in
            result(at: level) { pool in
                let left =
                    transposes.0
                    ? Matrix(a, rows: depth, columns: rows).transposed : Matrix(a, rows: rows, columns: depth)
                let right =
                    transposes.1
                    ? Matrix(b, rows: columns, columns: depth).transposed : Matrix(b, rows: depth, columns: columns)
                let stored = Floats(zeros: rows * columns), added = Floats(zeros: rows * columns)
                stored.fill(.nan)
                added.copy(from: start)
                pool.multiply(left, right, into: Matrix(stored, rows: rows, columns: columns))
                pool.multiply(left, right, into: Matrix(added, rows: rows, columns: columns), scale: 0.5, adding: true)
                return [stored, added]
            }
        }
        for found in found {
            expectClose(found[0], plain, tolerance: 1e-6)
            expectClose(found[1], zip(doubles(start), plain).map { $0 + 0.5 * $1 }, tolerance: 1e-6)
        }
    }

    @Test(arguments: levels, [(7, 33, 5), (129, 40, 600), (1100, 600, 70), (33, 0, 300)])
    func `sums of rows come along with a product`(level: InstructionLevel, extents: (Int, Int, Int)) {
        let (rows, columns, depth) = extents
        let a = draws(depth * rows, seed: 1), b = draws(depth * columns, seed: 2), start = draws(rows, seed: 3)
        let plain = (0..<rows).map { row in
            (0..<depth).reduce(Double(start[row])) { $0 + Double(a[$1 * rows + row]) }
        }
        let found = result(at: level) { pool in
            let sums = Floats(zeros: rows), c = Floats(zeros: rows * columns), alone = Floats(zeros: c.count)
            sums.copy(from: start)
            let left = Matrix(a, rows: depth, columns: rows).transposed
            let right = Matrix(b, rows: depth, columns: columns)
            pool.multiply(left, right, into: Matrix(c, rows: rows, columns: columns), rowSums: sums)
            pool.multiply(left, right, into: Matrix(alone, rows: rows, columns: columns))
            #expect(c.array == alone.array)
            return [sums]
        }
        expectClose(found[0], plain, tolerance: 1e-6)
    }

    @Test(arguments: products)
    func `a linear map is a product with the transposed weight plus the bias`(extents: (Int, Int, Int)) {
        let (rows, outputs, inputs) = extents
        let x = draws(rows * inputs, seed: 1), weight = draws(outputs * inputs, seed: 2), bias = draws(outputs, seed: 3)
        let transposed = plainTranspose(doubles(weight), rows: outputs, columns: inputs)
        let product = plainProduct(doubles(x), transposed, rows: rows, columns: outputs, depth: inputs)
        let found = result(at: .detected) { pool in
            let y = Floats(zeros: rows * outputs), bare = Floats(zeros: rows * outputs)
            y.fill(.nan)
            bare.fill(.nan)
            pool.linear(x, weight: weight, bias: bias, into: y, rows: rows, inputs: inputs, outputs: outputs)
            pool.linear(x, weight: weight, bias: nil, into: bare, rows: rows, inputs: inputs, outputs: outputs)
            return [y, bare]
        }
        expectClose(found[0], product.indices.map { product[$0] + Double(bias[$0 % outputs]) }, tolerance: 1e-6)
        expectClose(found[1], product, tolerance: 1e-6)
    }

    @Test func `strided views touch only their own columns`() {
        // Two columns from the middle of four, times a 2 × 2 matrix that exchanges them.
        let wide = Floats([1, 2, 3, 4, 5, 6, 7, 8]), exchange = Floats([0, 1, 1, 0]), out = Floats(zeros: 8)
        let pool = WorkerPool(threads: 1)
        pool.multiply(
            Matrix(wide[1..<8], rows: 2, columns: 2, stride: 4), Matrix(exchange, rows: 2, columns: 2),
            into: Matrix(out[2..<8], rows: 2, columns: 2, stride: 4))
        #expect(out.array == [0, 0, 3, 2, 0, 0, 7, 6])
    }

    @Test func `a product without depth clears or keeps the result`() {
        let pool = WorkerPool(threads: 1), empty = Floats(zeros: 0), c = Floats([1, 2, 3, 4])
        let square = Matrix(c, rows: 2, columns: 2)
        let (a, b) = (Matrix(empty, rows: 2, columns: 0), Matrix(empty, rows: 0, columns: 2))
        pool.multiply(a, b, into: square, adding: true)
        #expect(c.array == [1, 2, 3, 4])
        pool.multiply(a, b, into: square)
        #expect(c.array == [0, 0, 0, 0])
    }
}
