import Kernels
import Testing

@Suite struct AttentionTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var shape: AttentionShape
        var hasBias = true
        var windows = 0
        var testDescription: String { "\(shape), bias \(hasBias), windows \(windows)" }

        init(
            _ batch: Int, _ tokens: Int, _ heads: Int, _ headWidth: Int,
            _ projections: AttentionShape.Projections = .separate, hasBias: Bool = true, windows: Int = 0
        ) {
            shape = AttentionShape(
                batch: batch, tokens: tokens, heads: heads, headWidth: headWidth, scale: 0.37, projections: projections)
            self.hasBias = hasBias
            self.windows = windows
        }

        var plain: PlainAttention {
            PlainAttention(
                batch: shape.batch, tokens: shape.tokens, heads: shape.heads, headWidth: shape.headWidth,
                scale: Double(shape.scale), isShared: shape.projections == .shared)
        }
        var qkv: Floats { draws(shape.rows * shape.projectedWidth, seed: 1) }
        var dy: Floats { draws(shape.rows * shape.width, seed: 2) }
        var bias: Floats? { hasBias ? draws(shape.heads * shape.tokens * shape.tokens, seed: 3) : nil }
        var mask: Floats? {
            windows > 0
                ? Floats(draws(windows * shape.tokens * shape.tokens, seed: 4).array.map { $0 > 0.5 ? -100 : 0 }) : nil
        }

        func forward(_ pool: WorkerPool) -> Floats {
            let y = Floats(zeros: shape.rows * shape.width)
            let scratch = Floats(zeros: WorkerPool.attentionScratch(shape, masks: windows))
            pool.attention(qkv, bias: bias, mask: mask, into: y, shape, scratch: scratch)
            return y
        }
    }

    static let forwardCases = [
        Case(1, 1, 1, 1), Case(2, 7, 3, 5), Case(5, 33, 2, 16, hasBias: false), Case(6, 9, 4, 8, windows: 3),
        Case(3, 13, 2, 7, .shared, hasBias: false), Case(20, 5, 3, 4), Case(1, 400, 1, 8), Case(1, 700, 2, 4, .shared),
        Case(6, 36, 3, 32, windows: 3), Case(2, 50, 3, 24), Case(2, 65, 1, 64, .shared), Case(2, 160, 1, 16),
        Case(1, 161, 1, 16),
    ]
    static let backwardCases = [
        Case(1, 1, 1, 1), Case(2, 7, 3, 5), Case(4, 5, 2, 3, hasBias: false), Case(4, 4, 2, 3, windows: 2),
        Case(3, 7, 2, 4, .shared), Case(19, 3, 1, 2),
        Case(2, 17, 1, 16, windows: 2), Case(1, 20, 1, 32), Case(2, 9, 1, 16, .shared),
    ]

    @Test(arguments: levels, forwardCases)
    func `attention equals the plain one`(level: InstructionLevel, the: Case) {
        let found = result(at: level) { [the.forward($0)] }
        let plain = the.plain.output(doubles(the.qkv), bias: the.bias.map(doubles), mask: the.mask.map(doubles))
        expectClose(found[0], plain, tolerance: 1e-6)
    }

    @Test(arguments: levels, backwardCases)
    func `backward of attention matches differences`(level: InstructionLevel, the: Case) {
        let (plain, mask) = (the.plain, the.mask.map(doubles))
        let dy = doubles(the.dy), bias = the.bias.map(doubles), qkv = doubles(the.qkv)
        let dqkv = numericGradient(qkv) { dot(plain.output($0, bias: bias, mask: mask), dy) }
        let dBias = bias.map { numericGradient($0) { dot(plain.output(qkv, bias: $0, mask: mask), dy) } }
        for adding in [false, true] {
            let found = result(at: level) { pool in AttentionTests.gradients(the, pool, adding: adding) }
            expectClose(found[0], dqkv.map { $0 + (adding ? 2 : 0) }, tolerance: 2e-6, "dqkv")
            if let dBias { expectClose(found[1], dBias.map { $0 + (adding ? 2 : 0) }, tolerance: 2e-6, "dbias") }
        }
    }

    @Test(arguments: [AttentionShape.Projections.separate, .shared])
    func `queries held in several blocks give the gradients of one block`(projections: AttentionShape.Projections) {
        // 150 tokens are held in one block, 400 in seven. A sequence padded by masked tokens has the gradients of the
        // short one.
        let long = Case(1, 400, 1, 4, projections, hasBias: false),
            short = Case(1, 150, 1, 4, projections, hasBias: false)
        let pool = WorkerPool(threads: 1)
        let mask = Floats(zeros: 400 * 400)
        for index in 0..<mask.count where index % 400 >= 150 { mask[index] = -1e4 }
        let dy = Floats(zeros: 400 * 4)
        dy[0..<600].copy(from: long.dy[0..<600])
        func gradient(_ the: Case, dy: Floats, mask: Floats?) -> Floats {
            let shape = the.shape, qkv = long.qkv[0..<shape.rows * shape.projectedWidth]
            let y = Floats(zeros: dy.count), found = Floats(zeros: qkv.count)
            pool.attention(
                qkv, bias: nil, mask: mask, into: y, shape,
                scratch: Floats(zeros: WorkerPool.attentionScratch(shape, masks: 1)))
            pool.attentionBackward(
                qkv, bias: nil, mask: mask, output: y, dy, into: found, adding: false, biasGradient: nil,
                addingBias: false, shape,
                scratch: Floats(zeros: WorkerPool.attentionBackwardScratch(shape, masks: 1, withBiasGradient: false)))
            return found
        }
        let one = gradient(short, dy: dy[0..<600], mask: nil), two = gradient(long, dy: dy, mask: mask)
        expectClose(two[0..<one.count].array, doubles(one), tolerance: 1e-6)
        #expect(two[one.count..<two.count].array.allSatisfy { $0 == 0 })
    }

    static func gradients(_ the: Case, _ pool: WorkerPool, adding: Bool) -> [Floats] {
        let shape = the.shape, y = the.forward(pool)
        let dqkv = Floats([Float](repeating: 2, count: the.qkv.count))
        let dBias = the.bias.map { Floats([Float](repeating: 2, count: $0.count)) }
        let floats = WorkerPool.attentionBackwardScratch(
            shape, masks: the.windows, withBiasGradient: dBias != nil)
        pool.attentionBackward(
            the.qkv, bias: the.bias, mask: the.mask, output: y, the.dy, into: dqkv, adding: adding,
            biasGradient: dBias, addingBias: adding, shape, scratch: Floats(zeros: floats))
        return [dqkv] + (dBias.map { [$0] } ?? [])
    }
}
