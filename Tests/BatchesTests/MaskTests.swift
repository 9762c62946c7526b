import Batches
import Kernels
import Testing

@Suite struct `cell masks` {
    @Test func `exactly the asked number of cells is masked in each image`() {
        let mask = CellMasking(imageSide: 192, cellSide: 32, patchSide: 4, ratio: 0.6)
        let floats = Floats(zeros: mask.count)
        for sample in 0..<50 {
            mask.draw(SampleKey(seed: 1, epoch: 2, sample: UInt64(sample)), update: 0, into: floats)
            #expect(floats.array.reduce(0, +) == Float(22 * 8 * 8))
            #expect(floats.array.allSatisfy { $0 == 0 || $0 == 1 })
        }
    }

    @Test func `the first cells of the order are masked, each as a whole`() {
        let mask = CellMasking(imageSide: 8, cellSide: 4, patchSide: 2, ratio: 0.5)
        let floats = Floats(zeros: 16)
        mask.draw(order: [3, 0, 1, 2], into: floats)
        #expect(floats.array == [1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 1, 1, 0, 0, 1, 1])
    }

    @Test func `every cell is masked as often as the others`() {
        let mask = CellMasking(imageSide: 4, cellSide: 1, patchSide: 1, ratio: 0.5)
        let floats = Floats(zeros: 16)
        var hits = [Float](repeating: 0, count: 16)
        for sample in 0..<2_000 {
            mask.draw(SampleKey(seed: 3, epoch: 0, sample: UInt64(sample)), update: 0, into: floats)
            for cell in 0..<16 { hits[cell] += floats[cell] }
        }
        // Mean 1,000, standard deviation 22; five of them.
        #expect(hits.allSatisfy { abs($0 - 1_000) < 112 })
    }
}
