import Glibc
public import Kernels

/// Annealed Gaussian noise on the clipped mean gradient: `g += σ_t·z`, `σ_t² = η/(1+t)^γ`, t = updates so far.
/// Source: arXiv 1511.06807; the draws are this project's definition. Each is a pure function of (seed, update,
/// parameter, element), so that no rank count, thread count, shard or resume changes it.
public struct GradientNoise: Sendable, Equatable {
    public enum Mode: Sendable, Equatable {
        /// η, the variance (not the deviation) at t = 0.
        case absolute(variance: Double)
        /// Noise whose norm is `share` of the clipped gradient's at t = 0. Ours, not the paper's.
        case relative(share: Double)
    }

    public let mode: Mode
    /// γ, the exponent of the variance.
    public let exponent: Double
    public let seed: UInt64

    public init(_ mode: Mode, exponent: Double = 0.55, seed: UInt64) {
        self.mode = mode
        self.exponent = exponent
        self.seed = seed
    }

    /// σ_t of update `step` (from 0).
    /// - Parameters:
    ///   - norm: of the clipped gradient over all trainable parameters; only the relative mode reads it.
    ///   - count: elements of all trainable parameters.
    public func deviation(at step: Int, norm: Double, count: Int) -> Double {
        let decay = pow(1 + Double(step), -exponent)
        switch mode {
        case .absolute(let variance): return (variance * decay).squareRoot()
        case .relative(let share): return (share * share * norm * norm / Double(count) * decay).squareRoot()
        }
    }

    /// Numbers of the trainable parameters: positions of their names in the order of UTF-8 bytes.
    public static func order(of names: [String]) -> [String: UInt32] {
        let sorted = names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        return Dictionary(uniqueKeysWithValues: sorted.enumerated().map { ($1, UInt32($0)) })
    }

    /// Adds σ·z to gradients.
    /// - Returns: the norm of what was added.
    @discardableResult
    public func add(
        to gradients: Floats, _ sites: NoiseSites, step: Int, deviation: Double, pool: WorkerPool
    ) -> Double {
        pool.addNoise(to: gradients, sites, key: key, step: UInt32(step), std: deviation).squareRoot()
    }

    /// Adds σ·z to the gradient of one parameter or a slice of it.
    /// - Parameters:
    ///   - first: position of the slice's first element in the parameter.
    ///   - parameter: the parameter's number.
    public func add(
        to gradients: Floats, first: Int = 0, parameter: UInt32, step: Int, deviation: Double, pool: WorkerPool
    ) {
        let slice = NoiseSites.Site(0..<gradients.count, first: first, parameter: parameter)
        add(to: gradients, NoiseSites([slice]), step: step, deviation: deviation, pool: pool)
    }

    private var key: SIMD2<UInt32> {
        SIMD2(
            UInt32(truncatingIfNeeded: seed),
            UInt32(truncatingIfNeeded: seed >> 32) ^ Purpose.gradientNoise.rawValue)
    }

    /// The four words of elements 4·`block`..<4·`block` + 4 of a parameter.
    package func words(block: Int, parameter: UInt32, step: UInt32) -> SIMD4<UInt32> {
        let block = UInt64(block)
        let counter = SIMD4(
            UInt32(truncatingIfNeeded: block), UInt32(truncatingIfNeeded: block >> 32), parameter, step)
        return Philox.words(counter: counter, key: key)
    }
}
