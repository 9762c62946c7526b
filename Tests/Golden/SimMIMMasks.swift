import Batches
import Checkpoints
import Kernels
import Objectives
import Testing
import Training

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
        let recipe = try variant(
            """
            images: {size: \(sample.img_size)}
            objective: {mask_ratio: \(sample.mask_ratio), mask_patch_size: \(sample.mask_patch_size)}
            model: {patch_size: \(sample.model_patch_size)}
            """)
        let mask = try #require(Experiment(recipe, samples: 1, classes: 0).objective.masking as? CellMasking)
        #expect([mask.grid, mask.patchesPerCell, mask.maskedCells] == [sample.grid, sample.scale, sample.mask_count])
        #expect([mask.side, mask.side] == sample.mask_shape)
        let orders = try fixture.tensors.tensor("input/permutation\(number)")
        let expected = try fixture.tensors.tensor("output/mask\(number)")
        let cells = mask.cells, patches = mask.count
        #expect(expected.shape == [orders.shape[0], mask.side, mask.side])
        let (order, hidden) = (orders.integers, expected.integers)
        let floats = Floats(zeros: patches)
        for image in 0..<orders.shape[0] {
            mask.draw(order: Array(order[image * cells..<(image + 1) * cells]), into: floats)
            #expect(floats.array.map { Int($0) } == Array(hidden[image * patches..<(image + 1) * patches]))
        }
    }
}
