import Batches
import Kernels
import Testing

@Suite struct `cell masks` {
    @Test func `exactly the asked number of cells is hidden in each image`() throws {
        let mask = try CellMask(imageSize: 192, cellSize: 32, patchSize: 4, ratio: 0.6)
        let floats = Floats(zeros: mask.side * mask.side)
        for sample in 0..<50 {
            mask.draw(SampleKey(seed: 1, epoch: 2, sample: UInt64(sample)), into: floats)
            #expect(floats.array.reduce(0, +) == Float(22 * 8 * 8))
            #expect(floats.array.allSatisfy { $0 == 0 || $0 == 1 })
        }
    }

    @Test func `the first cells of the order are hidden, each as a whole`() throws {
        let mask = try CellMask(imageSize: 8, cellSize: 4, patchSize: 2, ratio: 0.5)
        let floats = Floats(zeros: 16)
        mask.hide([3, 0, 1, 2], in: floats)
        #expect(floats.array == [1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 1, 1, 0, 0, 1, 1])
    }

    @Test func `every cell is hidden as often as the others`() throws {
        let mask = try CellMask(imageSize: 4, cellSize: 1, patchSize: 1, ratio: 0.5)
        let floats = Floats(zeros: 16)
        var hits = [Float](repeating: 0, count: 16)
        for sample in 0..<2_000 {
            mask.draw(SampleKey(seed: 3, epoch: 0, sample: UInt64(sample)), into: floats)
            for cell in 0..<16 { hits[cell] += floats[cell] }
        }
        // Mean 1,000, deviation 22; five deviations.
        #expect(hits.allSatisfy { abs($0 - 1_000) < 112 })
    }

    @Test(arguments: [(192, 30, 4, 0.6), (192, 32, 5, 0.6), (192, 0, 4, 0.6), (192, 32, 4, 1.5), (192, 32, 4, -0.1)])
    func `settings that do not fit are refused`(_ image: Int, _ cell: Int, _ patch: Int, _ ratio: Double) {
        #expect(throws: MaskError.self) {
            try CellMask(imageSize: image, cellSize: cell, patchSize: patch, ratio: ratio)
        }
    }
}
