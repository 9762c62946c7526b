import Kernels
import Testing

@Suite struct RowKernelTests {
    @Test(arguments: levels, [1, 7, 33, 100_003])
    func `adding, copying and scaling are element by element`(level: InstructionLevel, count: Int) {
        let x = draws(count, seed: 1), y = draws(count, seed: 2)
        let found = result(at: level) { pool in
            let total = Floats(zeros: count), doubled = Floats(zeros: count), more = Floats(zeros: count)
            more.copy(from: y)
            pool.add(x, y, into: total)
            pool.copy(x, into: doubled)
            pool.scale(doubled, by: 2)
            pool.copy(x, into: more, adding: true, scale: 3)
            pool.add(more, x, into: more)
            return [total, doubled, more]
        }
        #expect(found[0] == zip(x.array, y.array).map(+))
        #expect(found[1] == x.array.map { 2 * $0 })
        expectClose(found[2], zip(doubles(x), doubles(y)).map { 4 * $0 + $1 }, tolerance: 1e-6)
    }

    @Test func `every row receives the same values`() {
        let pool = WorkerPool(threads: 1), y = Floats(zeros: 6)
        pool.fillRows(Floats([1, 2, 3]), into: y, rows: 2)
        #expect(y.array == [1, 2, 3, 1, 2, 3])
    }

    struct Residual: Sendable { var samples, rows, channels: Int, isScaled, isDropped: Bool }

    static let residuals = [(1, 1, 1), (3, 7, 33), (5, 13, 7), (3, 300, 129)].flatMap { extent in
        [(false, false), (false, true), (true, false), (true, true)].map {
            Residual(
                samples: extent.0, rows: extent.1, channels: extent.2, isScaled: $0.0, isDropped: $0.1)
        }
    }

    @Test(arguments: levels, residuals)
    func `a residual adds the kept and scaled branch, and backward scales in the same way`(
        level: InstructionLevel, the: Residual
    ) {
        let count = the.samples * the.rows * the.channels
        let x = draws(count, seed: 1), branch = draws(count, seed: 2), dy = draws(count, seed: 3)
        let scale = the.isScaled ? draws(the.channels, seed: 4) : nil
        let keep = the.isDropped ? Floats((0..<the.samples).map { $0 % 2 == 0 ? 1.25 : 0 }) : nil
        let factor = (0..<count).map { i in
            Double(scale?[i % the.channels] ?? 1) * Double(keep?[i / (the.rows * the.channels)] ?? 1)
        }
        var dScale = [Double](repeating: 0, count: the.channels)
        for i in 0..<count {
            let kept = Double(keep?[i / (the.rows * the.channels)] ?? 1)
            dScale[i % the.channels] += kept * Double(branch[i]) * Double(dy[i])
        }
        let found = result(at: level) { pool in
            let y = Floats(zeros: count), stored = Floats(zeros: count), added = Floats(zeros: count)
            let scaleGradient = Floats(zeros: the.channels)
            added.copy(from: x)
            let floats = WorkerPool.residualScratch(rows: the.samples * the.rows, channels: the.channels)
            let scratch = Floats(zeros: floats)
            pool.residual(
                x, branch, scale: scale, keep: keep, into: y, samples: the.samples, rowsPerSample: the.rows,
                channels: the.channels)
            pool.residualBackward(
                branch, scale: scale, keep: keep, dy, into: stored, adding: false, scaleGradient: scaleGradient,
                addingScale: false, samples: the.samples, rowsPerSample: the.rows, channels: the.channels,
                scratch: scratch)
            pool.residualBackward(
                branch[0..<0], scale: scale, keep: keep, dy, into: added, adding: true, scaleGradient: nil,
                addingScale: false, samples: the.samples, rowsPerSample: the.rows, channels: the.channels,
                scratch: scratch)
            return [y, stored, added, scaleGradient]
        }
        let dBranch = zip(doubles(dy), factor).map(*)
        expectClose(found[0], sum(doubles(x), zip(doubles(branch), factor).map(*)), tolerance: 1e-6)
        expectClose(found[1], dBranch, tolerance: 1e-6)
        expectClose(found[2], sum(doubles(x), dBranch), tolerance: 1e-6)
        expectClose(found[3], dScale, tolerance: 1e-6)
    }

    @Test(arguments: levels, extents)
    func `a masked row is the token, and only it feeds the token's gradient`(
        level: InstructionLevel, extent: (Int, Int)
    ) {
        let (rows, channels) = extent
        let x = draws(rows * channels, seed: 1), dy = draws(x.count, seed: 2), token = draws(channels, seed: 3)
        let mask = Floats((0..<rows).map { $0 % 3 == 1 ? 1 : 0 })
        let isMasked = x.array.indices.map { mask[$0 / channels] == 1 }
        let open = x.array.indices.map { isMasked[$0] ? 0 : Double(dy[$0]) }
        var dToken = [Double](repeating: 1, count: channels)
        for i in 0..<x.count where isMasked[i] { dToken[i % channels] += Double(dy[i]) }
        let found = result(at: level) { pool in
            let y = Floats(zeros: x.count), stored = Floats(zeros: x.count), added = Floats(zeros: x.count)
            let tokenGradient = Floats([Float](repeating: 1, count: channels))
            added.copy(from: x)
            stored.fill(.nan)
            let scratch = Floats(zeros: WorkerPool.maskedReplaceScratch(rows: rows, channels: channels))
            pool.maskedReplace(x, mask: mask, token: token, into: y, rows: rows, channels: channels)
            pool.maskedReplaceBackward(
                mask: mask, dy, into: stored, adding: false, tokenGradient: tokenGradient, addingToken: true,
                rows: rows, channels: channels, scratch: scratch)
            pool.maskedReplaceBackward(
                mask: mask, dy, into: added, adding: true, tokenGradient: nil, addingToken: false, rows: rows,
                channels: channels, scratch: scratch)
            return [y, stored, added, tokenGradient]
        }
        #expect(found[0] == x.array.indices.map { isMasked[$0] ? token[$0 % channels] : x[$0] })
        #expect(found[1] == open.map(Float.init))
        expectClose(found[2], sum(doubles(x), open), tolerance: 1e-6)
        expectClose(found[3], dToken, tolerance: 1e-6)
    }
}
