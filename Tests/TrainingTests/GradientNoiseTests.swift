import Kernels
import Testing
import Training

struct GradientNoiseTests {
    private let noise = GradientNoise(.absolute(variance: 1), seed: 0x1234_5678_9ABC_DEF0)

    @Test func `a slice of a parameter gets the bits of the whole`() {
        let pool = WorkerPool(threads: 2)
        let whole = Floats(zeros: 10_001), slice = Floats(zeros: 5000)
        noise.add(to: whole, parameter: 3, step: 17, deviation: 0.5, pool: pool)
        noise.add(to: slice, first: 1003, parameter: 3, step: 17, deviation: 0.5, pool: pool)
        #expect(slice.array == Array(whole.array[1003..<6003]))
    }

    @Test func `parameters and updates draw different numbers`() {
        let pool = WorkerPool(threads: 1)
        let draws = [(0, 0), (1, 0), (0, 1)].map { parameter, step in
            let floats = Floats(zeros: 64)
            noise.add(to: floats, parameter: UInt32(parameter), step: step, deviation: 1, pool: pool)
            return floats.array
        }
        #expect(draws[0] != draws[1] && draws[0] != draws[2] && draws[1] != draws[2])
    }

    @Test func `draws have the moments of a normal law`() {
        // 10^6 draws: the bounds are five deviations of each estimate.
        let floats = Floats(zeros: 1_000_000)
        noise.add(to: floats, parameter: 0, step: 0, deviation: 1, pool: WorkerPool(threads: 1))
        var (mean, square, fourth) = (0.0, 0.0, 0.0)
        for value in floats.array.map(Double.init) {
            mean += value
            square += value * value
            fourth += value * value * value * value
        }
        #expect(abs(mean / 1e6) < 5e-3)
        #expect(abs(square / 1e6 - 1) < 7.1e-3)
        #expect(abs(fourth / 1e6 - 3) < 0.05)
    }

    @Test func `relative noise at the first update has the gradient's norm`() {
        let relative = GradientNoise(.relative(share: 1), seed: 1)
        #expect(abs(relative.deviation(at: 0, norm: 6, count: 9) - 2) < 1e-12)
    }

    @Test func `names are numbered in the order of their bytes`() {
        let names = ["encoder.blocks.2", "decoder", "Head", "encoder.blocks.10"]
        let order = GradientNoise.order(of: names)
        #expect(order == ["Head": 0, "decoder": 1, "encoder.blocks.10": 2, "encoder.blocks.2": 3])
    }
}
