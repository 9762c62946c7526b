import Kernels
import Testing

struct NoiseTests {
    /// Three slices: a tail of no block's size, one that begins inside a block, one longer than a piece.
    private static let sites = NoiseSites([
        .init(0..<37, parameter: 0), .init(48..<61, first: 1003, parameter: 7), .init(64..<40_003, parameter: 2),
    ])
    private static let key = SIMD2<UInt32>(0x9ABC_DEF0, 0x1234_5678)

    private func noise(_ pool: WorkerPool) -> (values: Floats, squares: Double) {
        let floats = Floats(zeros: 40_010)
        let squares = pool.addNoise(to: floats, Self.sites, key: Self.key, step: 17, std: 0.3)
        return (floats, squares)
    }

    @Test func `every instruction level and thread count gives the same bits`() {
        let reference = noise(WorkerPool(threads: 1, level: .baseline))
        for level in InstructionLevel.allCases.filter({ $0 <= .detected }) {
            for threads in [1, 3] {
                let other = noise(WorkerPool(threads: threads, level: level))
                #expect(other.values.array.map(\.bitPattern) == reference.values.array.map(\.bitPattern), "\(level)")
                #expect(other.squares == reference.squares)
            }
        }
    }

    @Test func `values are those of the scalar generator to a unit of the last place, and nothing lies between slices`()
    {
        let (floats, squares) = noise(WorkerPool(threads: 1))
        var sum = 0.0
        for (range, first, parameter) in [(0..<37, 0, 0), (48..<61, 1003, 7), (64..<40_003, 0, 2)]
            as [(Range<Int>, Int, UInt32)]
        {
            for index in range {
                let element = first + index - range.lowerBound
                let words = Philox.words(counter: SIMD4(UInt32(element / 4), 0, parameter, 17), key: Self.key)
                let plain = Float(0.3 * Philox.normals(words)[element % 4])
                #expect(abs(floats[index] - plain) <= plain.ulp, "element \(element) of \(parameter)")
                sum += Double(floats[index]) * Double(floats[index])
            }
        }
        #expect(abs(squares - sum) < 1e-9 * sum)
        #expect((Array(37..<48) + Array(61..<64) + Array(40_003..<40_010)).allSatisfy { floats[$0] == 0 })
    }
}
