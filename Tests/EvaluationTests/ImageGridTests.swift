import Batches
import Evaluation
import Kernels
import Testing

@Suite struct PictureTests {
    private let normalisations = [
        Normalisation(mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]),
        Normalisation(mean: [0.4914, 0.4822, 0.4465], std: [0.2023, 0.1994, 0.2010]),
    ]

    private func plain(_ value: UInt8, height: Int, width: Int) -> Image {
        Image(height: height, width: width, bytes: Bytes([UInt8](repeating: value, count: height * width * 3)))
    }

    private func value(_ grid: borrowing ImageGrid, _ y: Int, _ x: Int) -> UInt8 {
        grid.sheet.bytes[(y * grid.sheet.width + x) * 3]
    }

    @Test func `samples fill whole rows of the sheet`() {
        let grid = ImageGrid(samples: 8, titles: ["a", "b", "c", "d"], inputSide: 32)
        #expect(grid.side == 128 && grid.gap == 4 && grid.margin == 16 && grid.across == 2)
        #expect(grid.sheet.width == 16 + 2 * (4 * 128 + 3 * 4 + 16))
        #expect(grid.sheet.height == 16 + 4 * (128 + 16))
        let corner = grid.corner(sample: 3, number: 2)
        #expect(corner.top == 16 + 144 && corner.left == 16 + 540 + 2 * 132)
    }

    @Test func `a small image is enlarged by whole pixels at its place`() {
        let grid = ImageGrid(samples: 2, titles: ["only"], inputSide: 2)
        let image = plain(10, height: 2, width: 2)
        image.bytes[9] = 90  // red of the last pixel
        grid.draw(image, sample: 1, number: 0)
        let (top, left) = grid.corner(sample: 1, number: 0)
        #expect(value(grid, top, left) == 10 && value(grid, top + 127, left + 63) == 10)
        #expect(value(grid, top + 64, left + 64) == 90 && value(grid, top + 127, left + 127) == 90)
        #expect(value(grid, top - 1, left) == 255 && value(grid, top, left + 128) == 255)
    }

    @Test func `a wide image keeps its aspect and stands in the middle`() {
        let grid = ImageGrid(samples: 1, titles: ["only"], inputSide: 128)
        grid.draw(plain(7, height: 100, width: 200), sample: 0, number: 0)
        let (top, left) = grid.corner(sample: 0, number: 0)
        #expect(value(grid, top + 31, left + 64) == 255 && value(grid, top + 32, left) == 7)
        #expect(value(grid, top + 95, left + 127) == 7 && value(grid, top + 96, left) == 255)
    }

    @Test func `normalised bytes come back as they were`() {
        let bytes = (0..<256 * 3).map { UInt8($0 / 3) }
        let floats = Floats(zeros: bytes.count)
        for normalisation in normalisations {
            normalisation.apply(Image(height: 16, width: 16, bytes: Bytes(bytes)), into: floats)
            #expect(normalisation.restore(floats, height: 16, width: 16).bytes.array == bytes)
        }
    }

    @Test func `values beyond black and white are cut off`() {
        let floats = Floats([-100, 100, .nan])
        #expect(normalisations[0].restore(floats, height: 1, width: 1).bytes.array == [0, 255, 0])
    }

    @Test func `only the hidden part is masked or replaced`() {
        let hidden = MaskedCells(Floats([0, 1, 0, 0]))
        let masked = hidden.masked(plain(10, height: 4, width: 4))
        let pasted = hidden.pasted(plain(200, height: 4, width: 4), into: plain(10, height: 4, width: 4))
        for y in 0..<4 {
            for x in 0..<4 {
                let isHidden = y < 2 && x >= 2
                #expect(masked.bytes[(y * 4 + x) * 3] == (isHidden ? 128 : 10))
                #expect(pasted.bytes[(y * 4 + x) * 3 + 2] == (isHidden ? 200 : 10))
            }
        }
    }
}
