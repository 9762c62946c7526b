import Batches
import Checkpoints
import Kernels
import Testing

struct CellMaskFixture: Decodable, Sendable {
    struct Case: Decodable, Sendable {
        let img_size, mask_patch_size, model_patch_size, grid, scale, mask_count: Int
        let mask_ratio: Double
        let mask_shape: [Int]
    }
    let cases: [Case]
}

@Test(arguments: ImageFixture<CellMaskFixture>.all(in: "simmim"))
func `masks from given permutations equal the reference`(_ fixture: ImageFixture<CellMaskFixture>) throws {
    for (number, sample) in fixture.config.cases.enumerated() {
        let mask = try CellMask(
            imageSize: sample.img_size, cellSize: sample.mask_patch_size, patchSize: sample.model_patch_size,
            ratio: sample.mask_ratio)
        #expect([mask.grid, mask.patchesPerCell, mask.hiddenCells] == [sample.grid, sample.scale, sample.mask_count])
        #expect([mask.side, mask.side] == sample.mask_shape)
        let orders = try fixture.tensors.tensor("input/permutation\(number)")
        let expected = try fixture.tensors.tensor("output/mask\(number)")
        let cells = mask.grid * mask.grid, patches = mask.side * mask.side
        #expect(expected.shape == [orders.shape[0], mask.side, mask.side])
        let (order, hidden) = (orders.integers, expected.integers)
        let floats = Floats(zeros: patches)
        for image in 0..<orders.shape[0] {
            mask.hide(Array(order[image * cells..<(image + 1) * cells]), in: floats)
            #expect(floats.array.map { Int($0) } == Array(hidden[image * patches..<(image + 1) * patches]))
        }
    }
}
