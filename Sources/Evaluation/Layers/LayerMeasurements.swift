public import Autodiff
public import Cluster
public import Kernels
public import Models

/// Measurements of CRATE's layers over the images of a sample: the coding rate of the tokens in the subspaces before the
/// attention step, summed over heads, and the share of zeros in the layer's output. Source: arXiv 2306.01129, code
/// Ma-Lab-Berkeley/CRATE, which measures there although its README says after the step.
public final class LayerMeasurements {
    /// Over images.
    public struct Layer: Sendable, Equatable {
        public let rateMean: Double
        /// Sample standard deviation, divisor B − 1; nil for one image.
        public let rateStd: Double?
        public let zeroMean: Double
        /// Population standard deviation, divisor B.
        public let zeroStd: Double
        public var nonzero: Double { 1 - zeroMean }
    }

    private let tensors: [(projected: Tensor, output: Tensor)]
    private let heads: Int
    private let rate: CodingRate
    /// Per layer the sums of rates, their squares, shares of zeros, their squares; at the end the images.
    private let sums: Doubles

    /// - Parameter layers: projections (B, T, h·k) and outputs (B, T, d), which a plan keeps.
    public init(
        _ layers: [(projected: Tensor, output: Tensor)], sizes: CRATESizes, epsilon: Double = 0.01
    ) {
        tensors = layers
        heads = sizes.heads
        rate = CodingRate(epsilon: epsilon)
        sums = Doubles(zeros: 4 * layers.count + 1)
    }

    /// The values to keep.
    public var wanted: [Tensor] { tensors.flatMap { [$0.projected, $0.output] } }

    /// Adds the first `samples` images of what the plan has computed.
    public func add(_ plan: Plan, samples: Int, pool: WorkerPool) {
        for (index, (projected, output)) in tensors.enumerated() {
            let tokens = projected.shape[1]
            let u = plan.value(of: projected), y = plan.value(of: output)
            let (perImage, perOutput) = (u.count / projected.shape[0], y.count / output.shape[0])
            let rates = rate.rates(
                u[0..<samples * perImage], samples: samples, tokens: tokens, heads: heads, pool: pool)
            for sample in 0..<samples {
                let rate = rates[sample * heads..<(sample + 1) * heads].reduce(0, +)
                let zeros = Self.zeroShare(y[sample * perOutput..<(sample + 1) * perOutput])
                for (place, value) in [rate, rate * rate, zeros, zeros * zeros].enumerated() {
                    sums[4 * index + place] += value
                }
            }
        }
        sums[4 * tensors.count] += Double(samples)
    }

    /// Collective: the images of all ranks together. Once, at the end.
    public func sum(over communicator: any Communicator) throws(ClusterError) { try communicator.sum(sums) }

    public var images: Int { Int(sums[4 * tensors.count]) }

    public var layers: [Layer] {
        let count = Double(images)
        return tensors.indices.map { index in
            let (rate, rateSquares) = (sums[4 * index], sums[4 * index + 1])
            let (zeros, zeroSquares) = (sums[4 * index + 2], sums[4 * index + 3])
            func spread(_ sum: Double, _ squares: Double) -> Double { max(0, squares - sum * sum / count) }
            return Layer(
                rateMean: rate / count,
                rateStd: images > 1 ? (spread(rate, rateSquares) / (count - 1)).squareRoot() : nil,
                zeroMean: zeros / count, zeroStd: (spread(zeros, zeroSquares) / count).squareRoot())
        }
    }

    /// The share of numbers that are 0, 0...1.
    public static func zeroShare(_ numbers: Floats) -> Double {
        var zeros = 0
        for index in 0..<numbers.count where numbers[index] == 0 { zeros += 1 }
        return Double(zeros) / Double(numbers.count)
    }
}
