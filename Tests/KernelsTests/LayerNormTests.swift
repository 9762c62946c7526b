import Kernels
import Testing

@Suite struct LayerNormTests {
    @Test(arguments: levels, extents)
    func `layer norm equals the plain one`(level: InstructionLevel, extent: (Int, Int)) {
        let (rows, channels) = extent
        let x = draws(rows * channels, seed: 1), weight = draws(channels, seed: 2), bias = draws(channels, seed: 3)
        let found = result(at: level) { pool in
            let y = Floats(zeros: x.count), statistics = Floats(zeros: 2 * rows)
            pool.layerNorm(
                x, weight: weight, bias: bias, epsilon: 1e-5, into: y, statistics: statistics, rows: rows,
                channels: channels)
            return [y]
        }
        let plain = plainLayerNorm(
            doubles(x), weight: doubles(weight), bias: doubles(bias), epsilon: Double(Float(1e-5)), rows: rows,
            channels: channels)
        expectClose(found[0], plain, tolerance: 1e-6)
    }

    @Test(arguments: levels)
    func `a mean a hundred times the deviation costs no accuracy`(level: InstructionLevel) {
        let x = Floats(draws(33 * 129, seed: 5).array.map { $0 + 100 })
        let ones = Floats([Float](repeating: 1, count: 129)), zeros = Floats(zeros: 129)
        let found = result(at: level) { pool in
            let y = Floats(zeros: x.count), statistics = Floats(zeros: 66)
            pool.layerNorm(
                x, weight: ones, bias: zeros, epsilon: 1e-6, into: y, statistics: statistics, rows: 33, channels: 129)
            return [y]
        }
        let plain = plainLayerNorm(
            doubles(x), weight: doubles(ones), bias: doubles(zeros), epsilon: Double(Float(1e-6)), rows: 33,
            channels: 129)
        expectClose(found[0], plain, tolerance: 1e-6)
    }

    @Test(arguments: levels, [(1, 7), (7, 33), (33, 7), (70, 5)])
    func `backward of layer norm matches differences`(level: InstructionLevel, extent: (Int, Int)) {
        let (rows, channels) = extent
        let x = draws(rows * channels, seed: 1), weight = draws(channels, seed: 2), bias = draws(channels, seed: 3)
        let dy = draws(x.count, seed: 4)
        let loss = { (x: [Double], weight: [Double], bias: [Double]) in
            dot(
                plainLayerNorm(x, weight: weight, bias: bias, epsilon: 1e-3, rows: rows, channels: channels),
                doubles(dy))
        }
        let plain = [
            numericGradient(doubles(x)) { loss($0, doubles(weight), doubles(bias)) },
            numericGradient(doubles(weight)) { loss(doubles(x), $0, doubles(bias)) },
            numericGradient(doubles(bias)) { loss(doubles(x), doubles(weight), $0) },
        ]
        for adding in [false, true] {
            let found = result(at: level) { pool in
                let y = Floats(zeros: x.count), statistics = Floats(zeros: 2 * rows)
                let gradients = [x.count, channels, channels].map { Floats([Float](repeating: 2, count: $0)) }
                let scratch = Floats(zeros: WorkerPool.layerNormScratch(rows: rows, channels: channels))
                pool.layerNorm(
                    x, weight: weight, bias: bias, epsilon: 1e-3, into: y, statistics: statistics, rows: rows,
                    channels: channels)
                pool.layerNormBackward(
                    x, weight: weight, statistics: statistics, dy, into: gradients[0], adding: adding,
                    weightGradient: gradients[1], biasGradient: gradients[2], addingParameters: adding, rows: rows,
                    channels: channels, scratch: scratch)
                return gradients
            }
            for (found, plain) in zip(found, plain) {
                expectClose(found, plain.map { $0 + (adding ? 2 : 0) }, tolerance: 3e-6)
            }
        }
    }

    @Test func `frozen parameters need no scratch`() {
        let pool = WorkerPool(threads: 1), x = draws(21, seed: 1), weight = draws(7, seed: 2), dy = draws(21, seed: 3)
        let y = Floats(zeros: 21), statistics = Floats(zeros: 6), trained = Floats(zeros: 21),
            frozen = Floats(zeros: 21)
        pool.layerNorm(
            x, weight: weight, bias: weight, epsilon: 1e-5, into: y, statistics: statistics, rows: 3, channels: 7)
        let scratch = Floats(zeros: WorkerPool.layerNormScratch(rows: 3, channels: 7)), gradient = Floats(zeros: 7)
        pool.layerNormBackward(
            x, weight: weight, statistics: statistics, dy, into: trained, adding: false, weightGradient: gradient,
            biasGradient: gradient, addingParameters: false, rows: 3, channels: 7, scratch: scratch)
        pool.layerNormBackward(
            x, weight: weight, statistics: statistics, dy, into: frozen, adding: false, weightGradient: nil,
            biasGradient: nil, addingParameters: false, rows: 3, channels: 7, scratch: Floats(zeros: 0))
        #expect(trained.array == frozen.array)
    }
}
