import Kernels
import Testing

/// Every level gives the bytes of the baseline, at widths around the vector lengths.
@Suite struct PictureLoopTests {
    private static let widths = [1, 2, 3, 5, 21, 22, 64, 67]

    private func image(_ height: Int, _ width: Int) -> Bytes {
        var random = RandomStream(seed: 4, purpose: .procedural, sample: UInt64(width))
        return Bytes((0..<height * width * 3 + ImageLoops.slack).map { _ in UInt8(random.below(256)) })
    }

    private func expectSame(_ width: Int, _ body: (ImageLoops, Bytes, Bytes) -> Void) {
        let height = 9, count = height * width * 3
        let results = InstructionLevel.allCases.filter { $0 <= .detected }.map { level in
            let from = image(height, width), to = Bytes(zeros: count)
            body(ImageLoops(level: level), from, to)
            return from.array + to.array
        }
        #expect(Set(results).count == 1, "width \(width)")
    }

    @Test(arguments: widths) func `blends and blurs`(_ width: Int) {
        for factor: Float in [0, 0.3, 1, 1.9, -0.4] {
            expectSame(width) { $0.saturate($1[0..<$2.count], factor) }
            expectSame(width) { $0.sharpen($1[0..<$2.count], into: $2, factor, height: 9, width: width) }
        }
        for radius in [0, 1, 4] {
            let inner = UInt32(1 << 24) / UInt32(2 * radius + 2)
            let box = BoxFilter(radius: radius, inner: inner, outer: (1 << 24 - UInt32(2 * radius + 1) * inner) / 2)
            expectSame(width) { $0.blurRows($1[0..<$2.count], into: $2, height: 9, width: width, box) }
            expectSame(width) { $0.blurColumns($1[0..<$2.count], into: $2, height: 9, width: width, box) }
        }
    }

    @Test(arguments: widths, [WarpFilter.nearest, .bilinear, .bicubic])
    func `warps`(_ width: Int, _ filter: WarpFilter) {
        let turn = (x: SIMD3(0.9, -0.3, 1.7), y: SIMD3(0.3, 0.9, -0.6))
        let shift = (x: SIMD3(1, 0, 1.25), y: SIMD3(0, 1.0, 0))
        for matrix in [turn, shift] {
            expectSame(width) {
                $0.warp($1[0..<$2.count], into: $2, height: 9, width: width, matrix, filter, fill: SIMD3(1, 2, 3))
            }
        }
    }

    @Test(arguments: widths) func `sums and tables`(_ width: Int) {
        expectSame(width) { loops, from, to in
            let bytes = from[0..<to.count], counts = Buffer<UInt32>(zeros: 768)
            loops.histogram(bytes, into: counts)
            #expect((0..<768).reduce(0) { $0 + Int(counts[$1]) } == to.count)
            loops.lookUp(bytes, Bytes((0..<768).map { UInt8(($0 * 5 + 3) % 256) }))
            to[0] = UInt8(loops.greySum(bytes) % 251)
        }
    }
}
