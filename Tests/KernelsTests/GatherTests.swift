import Kernels
import Testing

@Suite struct GatherTests {
    @Test(arguments: levels, [1, 7, 33])
    func `gathered rows follow the table and scattered rows add up`(level: InstructionLevel, channels: Int) {
        let table: [Int32] = (0..<100).map { $0 % 11 == 5 ? -1 : Int32($0 * 7 % 23) }
        let x = draws(23 * channels, seed: 1), dy = draws(100 * channels, seed: 2)
        var scattered = [Double](repeating: 0, count: x.count)
        for (row, target) in table.enumerated() where target >= 0 {
            for c in 0..<channels { scattered[Int(target) * channels + c] += Double(dy[row * channels + c]) }
        }
        let found = result(at: level) { pool in
            let y = Floats(zeros: dy.count), more = Floats(zeros: dy.count)
            let stored = Floats(zeros: x.count), added = Floats(zeros: x.count)
            y.fill(.nan)
            stored.fill(.nan)
            more.copy(from: dy)
            added.copy(from: x)
            pool.gatherRows(x, table: Indices(table), into: y, channels: channels)
            pool.gatherRows(x, table: Indices(table), into: more, adding: true, channels: channels)
            pool.scatterAddRows(dy, table: Indices(table), into: stored, adding: false, channels: channels)
            pool.scatterAddRows(dy, table: Indices(table), into: added, adding: true, channels: channels)
            return [y, more, stored, added]
        }
        let gathered = (0..<dy.count).map { i in
            table[i / channels] < 0 ? 0 : x[Int(table[i / channels]) * channels + i % channels]
        }
        #expect(found[0] == gathered)
        #expect(found[1] == zip(dy.array, gathered).map(+))
        expectClose(found[2], scattered, tolerance: 1e-6)
        expectClose(found[3], sum(doubles(x), scattered), tolerance: 1e-6)
    }

    @Test(arguments: levels, [1, 3, 8])
    func `a position bias is its table by head, and backward adds by position`(level: InstructionLevel, heads: Int) {
        let index: [Int32] = (0..<49).map { Int32($0 * 5 % 13) }
        let table = draws(13 * heads, seed: 1), dBias = draws(49 * heads, seed: 2)
        var scattered = doubles(table)
        for h in 0..<heads {
            for (i, position) in index.enumerated() {
                scattered[Int(position) * heads + h] += Double(dBias[h * 49 + i])
            }
        }
        let found = result(at: level) { pool in
            let bias = Floats(zeros: dBias.count), dTable = Floats(zeros: table.count)
            dTable.copy(from: table)
            pool.gatherBias(table, index: Indices(index), into: bias, heads: heads)
            pool.scatterAddBias(dBias, index: Indices(index), into: dTable, adding: true, heads: heads)
            return [bias, dTable]
        }
        #expect(found[0] == (0..<heads * 49).map { table[Int(index[$0 % 49]) * heads + $0 / 49] })
        expectClose(found[1], scattered, tolerance: 1e-6)
    }
}
