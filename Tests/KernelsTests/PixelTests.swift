import Kernels
import Testing

@Suite struct PixelTests {
    @Test(arguments: levels)
    func `a patch holds its pixels channel by channel`(level: InstructionLevel) {
        // One image of 2 × 4 pixels and two channels; the value says (y, x, c).
        let image = Floats([0, 1, 10, 11, 20, 21, 30, 31, 100, 101, 110, 111, 120, 121, 130, 131])
        let found = result(at: level) { pool in
            let rows = Floats(zeros: 16)
            pool.patchify(image, into: rows, batch: 1, height: 2, width: 4, channels: 2, patch: 2)
            return [rows]
        }
        #expect(found[0] == [0, 10, 100, 110, 1, 11, 101, 111, 20, 30, 120, 130, 21, 31, 121, 131])
    }

    @Test(arguments: levels, [(1, 3, 3, 1, 3), (2, 6, 9, 3, 3), (3, 10, 5, 2, 5), (2, 64, 48, 3, 16)])
    func `patches go back to where they came from`(level: InstructionLevel, the: (Int, Int, Int, Int, Int)) {
        let (batch, height, width, channels, patch) = the
        let image = draws(batch * height * width * channels, seed: 1)
        let found = result(at: level) { pool in
            let rows = Floats(zeros: image.count), back = Floats(zeros: image.count)
            pool.patchify(
                image, into: rows, batch: batch, height: height, width: width, channels: channels, patch: patch)
            pool.unpatchify(
                rows, into: back, batch: batch, height: height, width: width, channels: channels, patch: patch)
            return [rows, back]
        }
        #expect(found[1] == image.array)
        #expect(found[0].sorted() == image.array.sorted() && (found[0] != image.array || width == patch))
    }

    static let grids = [
        PixelGrid(batch: 1, height: 1, width: 1, channels: 1, stride: 1),
        PixelGrid(batch: 2, height: 3, width: 2, channels: 3, stride: 5),
        PixelGrid(batch: 3, height: 2, width: 3, channels: 3, stride: 6, maskPatch: 2),
        PixelGrid(batch: 2, height: 3, width: 7, channels: 1, stride: 8, maskPatch: 4),
        PixelGrid(batch: 2, height: 1, width: 2, channels: 2, stride: 3, maskPatch: 1),
    ]

    /// The mask value over element `index` of the rows, from its image coordinates.
    static func weight(_ mask: Floats, _ grid: PixelGrid, _ index: Int) -> Double {
        let row = index / grid.rowFloats, inside = index % grid.rowFloats
        let (i, j) = (inside / grid.stride % grid.stride, inside % grid.stride)
        let sample = row / (grid.height * grid.width)
        let y = row / grid.width % grid.height * grid.stride + i, x = row % grid.width * grid.stride + j
        let across = grid.width * grid.stride / grid.maskPatch, down = grid.height * grid.stride / grid.maskPatch
        return Double(mask[(sample * down + y / grid.maskPatch) * across + x / grid.maskPatch])
    }

    @Test(arguments: levels, grids)
    func `the masked error sums and its gradient is the sign over masked pixels`(
        level: InstructionLevel, grid: PixelGrid
    ) {
        let count = grid.rows * grid.rowFloats
        let prediction = draws(count, seed: 1), target = draws(count, seed: 2)
        target[0] = prediction[0]
        let mask = Floats(draws(grid.maskValues, seed: 3).array.map { $0 > 0.3 ? 0 : 1 })
        let weights = (0..<count).map { PixelTests.weight(mask, grid, $0) }
        let differences = zip(doubles(prediction), doubles(target)).map { $0 - $1 }
        let plain = zip(differences, weights).reduce(0) { $0 + abs($1.0) * $1.1 }
        let signs = zip(differences, weights).map { d, w in d > 0 ? 0.25 * w : d < 0 ? -0.25 * w : 0 }
        let found = result(at: level) { pool in
            let stored = Floats(zeros: count), added = Floats(zeros: count)
            stored.fill(.nan)
            added.copy(from: target)
            let total = pool.maskedAbsoluteError(prediction, target, mask: mask, grid: grid)
            #expect(abs(total - plain) <= 1e-6 * plain)
            pool.maskedAbsoluteErrorBackward(
                prediction, target, mask: mask, scale: 0.25, into: stored, adding: false, grid: grid)
            pool.maskedAbsoluteErrorBackward(
                prediction, target, mask: mask, scale: 0.25, into: added, adding: true, grid: grid)
            return [stored, added]
        }
        #expect(found[0] == signs.map(Float.init))
        expectClose(found[1], sum(doubles(target), signs), tolerance: 1e-6)
    }
}
