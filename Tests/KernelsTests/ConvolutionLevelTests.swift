import Kernels
import Testing

/// The panel kernels have register tiles of their own at each level; the numbers are the same to rounding.
@Suite struct ConvolutionLevelTests {
    private let side = 9

    private func numbers(_ count: Int) -> Floats {
        var random = RandomStream(seed: 11, purpose: .procedural)
        return Floats((0..<count).map { _ in Float(random.uniform(-1...1)) })
    }

    /// Output and weight gradient of a 3×3 convolution over two maps.
    private func results(_ level: InstructionLevel, inputs: Int, outputs: Int) -> [Float] {
        let pool = WorkerPool(threads: 2, level: level)
        let taps = (0..<9).map { WindowReach.Tap(down: $0 / 3 - 1, right: $0 % 3 - 1) }
        let windows = WindowReach(tile: side, sourceTile: side, scale: 1, taps: taps)
            .table(over: .all(batch: 1, grid: 1))
        let product = TapProduct(
            groups: [.init(columns: 0..<9, down: 0, right: 0, taps: Array(0..<9))], side: side, factor: 1,
            inputs: inputs, outputs: outputs, outputStride: 9 * inputs, inputStride: 9)
        let rows = 2 * side * side
        let (x, weight, dy) = (numbers(rows * inputs), numbers(outputs * inputs * 9), numbers(rows * outputs))
        let (y, dw) = (Floats(zeros: rows * outputs), Floats(zeros: weight.count))
        let scratch = Floats(
            zeros: max(product.scratch, WorkerPool.convolutionGradientScratch(product, rows: rows)))
        pool.convolve(
            x, stride: inputs, windows: windows, product, weight: weight, bias: dy[0..<outputs], into: y,
            adding: false, scratch: scratch)
        pool.convolutionGradient(
            x, stride: inputs, windows: windows, product, dy: dy, into: dw, adding: false, scratch: scratch)
        return y.array + dw.array
    }

    /// Wide and narrow panels, whole and in part; taps in groups, and tap by tap where there are many inputs.
    @Test(
        arguments: InstructionLevel.allCases.filter { $0 <= .detected },
        [(19, 45), (8, 16), (7, 3), (133, 64), (130, 5)])
    func `convolutions agree at all levels`(level: InstructionLevel, extents: (inputs: Int, outputs: Int)) {
        let ours = results(level, inputs: extents.inputs, outputs: extents.outputs)
        let reference = results(.baseline, inputs: extents.inputs, outputs: extents.outputs)
        // More inputs, longer sums.
        let bar = 2e-5 * Float(max(extents.inputs, 19)) / 19
        #expect(zip(ours, reference).allSatisfy { abs($0 - $1) <= bar })
    }
}
