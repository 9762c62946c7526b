import Kernels
import Testing

@Suite struct SquareTests {
    @Test(arguments: levels, [1, 5, 8, 13, 16, 40])
    func `a transposed square has its entries at the mirrored places`(level: InstructionLevel, side: Int) {
        let x = draws(side * side, seed: 1)
        let mirrored = (0..<side * side).map { x[$0 % side * side + $0 / side] }
        let found = result(at: level) { pool in
            let y = Floats(zeros: side * side)
            pool.transpose(x, into: y, side: side, scale: 2)
            let sum = Floats(zeros: side * side)
            sum.copy(from: x)
            pool.transpose(x, into: sum, side: side, adding: true)
            return [y, sum]
        }
        #expect(found[0] == mirrored.map { 2 * $0 })
        #expect(found[1] == zip(x.array, mirrored).map { $0 + $1 })
    }

    @Test(arguments: levels) func `ReLU keeps what is above 0, and what is no number`(level: InstructionLevel) {
        let x = Floats([-2, -0.5, 0, 0.5, 3, .nan]), dy = Floats([1, 2, 3, 4, 5, 6])
        let found = result(at: level) { pool in
            let y = Floats(zeros: 6), dx = Floats([Float](repeating: 10, count: 6)), stored = Floats(zeros: 6)
            pool.relu(x, into: y)
            pool.reluBackward(y, dy, into: dx, adding: true)
            pool.reluBackward(y, dy, into: stored)
            return [y, dx, stored]
        }
        #expect(Array(found[0][..<5]) == [0, 0, 0, 0.5, 3] && found[0][5].isNaN)
        #expect(found[1] == [10, 10, 10, 14, 15, 10] && found[2] == [0, 0, 0, 4, 5, 0])
    }

    @Test(arguments: levels) func `a difference is element by element`(level: InstructionLevel) {
        let found = result(at: level) { pool in
            let z = Floats(zeros: 3)
            pool.subtract(Floats([1, 2, 3]), Floats([0.5, 4, -1]), into: z)
            return [z]
        }
        #expect(found[0] == [0.5, -2, 4])
    }

    @Test(arguments: levels) func `weights of shared attention are rows that sum to 1`(level: InstructionLevel) {
        let shape = AttentionShape(batch: 2, tokens: 5, heads: 3, headWidth: 4, scale: 0.5, projections: .shared)
        let u = draws(shape.rows * shape.width, seed: 3)
        let found = result(at: level) { pool in
            let weights = Floats(zeros: 2 * 3 * 25), y = Floats(zeros: u.count)
            pool.attentionWeights(u, into: weights, shape)
            pool.attention(
                u, bias: nil, into: y, shape, scratch: Floats(zeros: WorkerPool.attentionScratch(shape)))
            return [weights, y]
        }
        for row in 0..<30 { #expect(abs(found[0][row * 5..<(row + 1) * 5].reduce(0, +) - 1) < 1e-6) }
        // The output of the last token of the last head is its row of weights times the tokens.
        let row = found[0].suffix(5)
        for channel in 0..<4 {
            let expected = zip(row, 0..<5).reduce(0) { $0 + $1.0 * u[(5 + $1.1) * 12 + 8 + channel] }
            #expect(abs(found[1][(5 + 4) * 12 + 8 + channel] - expected) < 1e-5)
        }
    }
}
