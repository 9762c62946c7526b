import Batches
import Kernels
import Testing

/// What is drawn for tokens, and how often; `Golden` compares what becomes of given draws. Counts have room for five
/// deviations.
@Suite struct TokenAugmentationTests {
    private func key(_ sample: Int) -> SampleKey { SampleKey(seed: 3, epoch: 1, sample: UInt64(sample)) }

    /// Synonym k of id c is 256 + 5 c + k.
    private static let synonyms = Indices((0..<256 * TokenEdit.neighbours).map { Int32(256 + $0) })

    /// A grid of 16 x 16 ids, each its own place, as the draws of a sample edit it.
    private func edited(_ sample: Int, _ edit: TokenEdit, side: Int = 16) -> [Int] {
        let ids = Indices((0..<side * side).map { Int32($0) })
        edit.apply(ids, side: side, synonyms: Self.synonyms, scratch: Indices(zeros: ids.count), key(sample))
        return ids.array.map { Int($0) }
    }

    @Test func `a grid gets synonyms or an exchange as often as asked, else nothing`() {
        var (replaced, exchanged) = (0, 0)
        for sample in 0..<2_000 {
            let grid = edited(sample, TokenEdit(synonyms: 0.25, swap: 0.25), side: 8)
            if grid.contains(where: { $0 >= 256 }) {
                replaced += 1
            } else if grid != Array(0..<64) {
                exchanged += 1
            }
        }
        #expect((403...597).contains(replaced))
        // Half of the exchanges are of blocks without a side.
        #expect((176...324).contains(exchanged))
    }

    @Test func `a quarter of the places take one of their own five synonyms`() throws {
        var picks = [Int](repeating: 0, count: TokenEdit.neighbours)
        for sample in 0..<200 {
            for (place, id) in edited(sample, TokenEdit(synonyms: 1, swap: 0)).enumerated() where id != place {
                try #require(id >= 256 && (id - 256) / 5 == place)
                picks[(id - 256) % 5] += 1
            }
        }
        #expect((12_310...13_290).contains(picks.reduce(0, +)))
        #expect(picks.allSatisfy { (2_330...2_790).contains($0) })
    }

    /// Blocks of up to 3 x 3 so far apart have no place in common: the first place that changed is the corner of one,
    /// and holds that of the other.
    @Test func `exchanged blocks have less than a quarter of the side and lie further apart than theirs`() {
        var (blocks, farthest) = ([Int: Int](), 0)
        for sample in 0..<1_000 {
            let grid = edited(sample, TokenEdit(synonyms: 0, swap: 1))
            let moved = grid.indices.filter { grid[$0] != $0 }
            let block = Int((Double(moved.count) / 2).squareRoot())
            blocks[block, default: 0] += 1
            guard let first = moved.first else { continue }
            let second = grid[first]
            let (rows, columns) = (second / 16 - first / 16, second % 16 - first % 16)
            #expect(rows * rows + columns * columns > block * block)
            farthest = max(farthest, max(first / 16, first % 16, second / 16, second % 16) + block)
            var expected = Array(0..<256)
            for place in 0..<block * block {
                let inside = place / block * 16 + place % block
                expected.swapAt(first + inside, second + inside)
            }
            #expect(grid == expected)
        }
        #expect(Set(blocks.keys) == [0, 1, 2, 3] && blocks.values.allSatisfy { (181...319).contains($0) })
        // Corners are drawn below 16 - block, so that the last row and column stay.
        #expect(farthest == 15)
    }

    @Test(arguments: 1...3) func `a grid too small for a block stays as it is`(side: Int) {
        for sample in 0..<20 {
            #expect(edited(sample, TokenEdit(synonyms: 0, swap: 1), side: side) == Array(0..<side * side))
        }
    }

    @Test func `an update has noise or ColorAdapt as often as asked, else nothing`() {
        let changes = (0..<2_000).map { update in
            var random = key(update).stream(.tokenColor)
            return TokenColor(noise: 0.5, adapt: 0.25).draw(&random)
        }
        #expect((889...1_111).contains(changes.count { $0 == .noise }))
        #expect((404...596).contains(changes.count { $0 == .adapt }))
    }

    @Test func `each channel has a normal value in common, then each value one of its own`() {
        let map = Floats(zeros: 6)
        var random = key(0).stream(.tokenNoise), same = random
        TokenColor.addNoise(map, channels: 3, &random)
        let normals = (0..<3).flatMap { _ -> [Double] in
            let four = same.normals()
            return [four.x, four.y, four.z, four.w]
        }
        #expect(map.array == (0..<6).map { Float(normals[$0 % 3]) + Float(normals[3 + $0]) })
    }

    /// Of 2,000 updates 1,000 mirror and as many have the group, of which each movement takes part in half.
    @Test func `movements keep their order, their shares and their ranges`() {
        var (mirrored, grouped) = (0, 0)
        // Angle, shifts and shears that are not 0.
        var amounts = [[Double]](repeating: [], count: 5)
        for update in 0..<2_000 {
            var random = key(update).stream(.tokenAdapt)
            let movements = TokenGeometry(side: 20, area: 0.2...1).movements(&random)
            if movements.first == .mirror { mirrored += 1 }
            var kinds: [Int] = []
            for case .affine(let angle, let shift, let shear) in movements {
                for (kind, amount) in [angle, shift.x, shift.y, shear.x, shear.y].enumerated() where amount != 0 {
                    amounts[kind].append(amount)
                    kinds.append(kind)
                }
            }
            if !kinds.isEmpty { grouped += 1 }
            #expect(zip(kinds, kinds.dropFirst()).allSatisfy { $0 < $1 })
            #expect(movements.dropFirst().allSatisfy { $0 != .mirror })
        }
        #expect((888...1_112).contains(mirrored) && (857...1_081).contains(grouped))
        #expect([0, 3, 4].allSatisfy { (403...597).contains(amounts[$0].count) })
        #expect(amounts[0].allSatisfy { abs($0) <= 30 } && amounts[0].contains { $0 < -28 })
        #expect(amounts[0].contains { $0 > 28 })
        // A fifth of the side in whole positions; one shift in eight rounds to 0.
        for shifts in amounts[1...2] {
            #expect((345...530).contains(shifts.count) && Set(shifts) == [-4, -3, -2, -1, 1, 2, 3, 4])
        }
        for shears in amounts[3...4] {
            #expect(shears.allSatisfy { $0 > 0 && $0 <= 15 } && shears.contains { $0 > 14 })
        }
    }

    @Test func `one coin mirrors, one moves by the group`() {
        let geometry = TokenGeometry(side: 20, area: 0.2...1)
        for update in 0..<100 {
            var random = key(update).stream(.tokenAdapt), same = random
            let movements = geometry.movements(&random)
            let (mirrors, moves) = (same.uniform() < 0.5, same.uniform() < 0.5)
            let start: [TokenGeometry.Movement] = mirrors ? [.mirror] : []
            let group = moves ? geometry.affine(&same) : []
            #expect(movements == start + group)
        }
    }
}
