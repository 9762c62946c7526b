import Batches
import Kernels
import Testing

@Suite struct `resizing` {
    private func noise(height: Int, width: Int, seed: UInt64 = 1) -> Image {
        var random = RandomStream(seed: seed, purpose: .procedural)
        return Image(
            height: height, width: width,
            bytes: Bytes((0..<height * width * 3).map { _ in UInt8(truncatingIfNeeded: random.word()) }))
    }

    @Test(arguments: [(97, 31), (31, 97), (200, 7), (5, 64), (1, 9), (64, 63)], [Interpolation.bilinear, .bicubic])
    func `the wide and the plain horizontal pass give the same bytes`(
        _ extents: (inputs: Int, outputs: Int), _ interpolation: Interpolation
    ) {
        let rows = 6
        let image = noise(height: rows, width: extents.inputs)
        var axis = ResizeAxis()
        axis.prepare(inputs: extents.inputs, outputs: extents.outputs, interpolation)
        let wide = Bytes(zeros: rows * extents.outputs * 3), plain = Bytes(zeros: rows * extents.outputs * 3)
        let packed = Buffer<Int16>(zeros: axis.packedCount)
        let stride = extents.inputs * 3
        PixelLoops.resampleColumns(image.bytes, stride: stride, rows: rows, axis, into: wide, packed: packed)
        PixelLoops.resampleColumnsPlainly(image.bytes, stride: stride, rows: rows, axis, into: plain)
        #expect(wide.array == plain.array)
    }

    /// An axis written out from the formula: the sum of the weights is one, so a flat image stays flat.
    @Test(arguments: [1, 2, 100, 255] as [UInt8], [Interpolation.nearest, .bilinear, .bicubic])
    func `a flat image stays flat`(_ level: UInt8, _ interpolation: Interpolation) {
        var image = Image(height: 40, width: 30, bytes: Bytes([UInt8](repeating: level, count: 3600)))
        image.resize(height: 17, width: 53, interpolation)
        #expect(image.height == 17 && image.width == 53)
        #expect(image.bytes.array.allSatisfy { $0 == level })
    }

    @Test func `halving two pixels is their mean, rounded`() {
        var image = Image(height: 1, width: 2, bytes: Bytes([10, 20, 30, 13, 20, 33]))
        image.resize(height: 1, width: 1, .bilinear)
        #expect(image.bytes.array == [12, 20, 32])
    }

    @Test func `the same size is the same image`() {
        var image = noise(height: 12, width: 9)
        let before = image.bytes.array
        image.resize(height: 12, width: 9, .bicubic)
        #expect(image.bytes.array == before)
    }

    @Test func `pixels outside the box have no influence`() {
        var image = noise(height: 20, width: 20), other = noise(height: 20, width: 20, seed: 2)
        let box = Box(top: 3, left: 4, height: 11, width: 9)
        for y in 0..<box.height {
            let start = ((box.top + y) * 20 + box.left) * 3
            other.bytes[start..<start + box.width * 3].copy(from: image.bytes[start..<start + box.width * 3])
        }
        image.resize(box, height: 6, width: 14, .bicubic)
        other.resize(box, height: 6, width: 14, .bicubic)
        #expect(image.bytes.array == other.bytes.array)
    }

    @Test func `resizing sample after sample takes no new storage`() {
        var image = Image()
        var seen: [Bytes] = []
        for _ in 0..<8 {
            image.reshape(height: 60, width: 80)
            image.resize(Box(top: 5, left: 5, height: 40, width: 50), height: 32, width: 32, .bicubic)
            let start = image.bytes[0..<1]
            if !seen.contains(where: { $0.pointer == start.pointer }) { seen.append(start) }
        }
        #expect(seen.count <= 2)
    }
}
