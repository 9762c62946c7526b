import Glibc
import Kernels

/// The initialization of a parameter. Draws are keyed by (seed, parameter name), so they depend neither on the
/// order of declaration nor on the number of ranks or threads.
public indirect enum Initializer: Sendable, Equatable {
    case zeros
    case ones
    case constant(Float)
    case normal(std: Double)
    /// Uniform in -bound...bound.
    case uniform(bound: Double)
    /// Normal, cut at ±`cut` (absolute) by the inverse distribution function, not by clamping.
    case truncatedNormal(std: Double, cut: Double)
    case scaled(Initializer, by: Double)
    /// These numbers.
    case table([Float])

    /// Elements of one random stream: chunks are filled in parallel and give the same numbers on any thread count.
    private static let chunk = 1 << 16

    func fill(_ floats: Floats, name: String, seed: UInt64, pool: WorkerPool) {
        if case .table(let values) = self { return floats.copy(from: values) }
        let key = name.utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
        pool.split(floats.count, grain: Self.chunk, (self, floats, key, seed)) { work, range in
            let (initializer, floats, key, seed) = work
            let chunk = UInt32(range.lowerBound / Self.chunk)
            var random = RandomStream(seed: seed, purpose: .initialize, epoch: chunk, sample: key)
            let target = floats[range]
            for index in 0..<target.count { target[index] = Float(initializer.draw(&random)) }
        }
    }

    private func draw(_ random: inout RandomStream) -> Double {
        switch self {
        case .zeros: 0
        case .ones: 1
        case .constant(let value): Double(value)
        case .normal(let std): std * normalQuantile(openUniform(&random))
        case .uniform(let bound): random.uniform(-bound...bound)
        case .truncatedNormal(let std, let cut):
            std * normalQuantile(truncatedUniform(&random, cut: cut / std))
        case .scaled(let initializer, let factor): initializer.draw(&random) * factor
        case .table: preconditionFailure("a table is copied, not drawn")
        }
    }

    private func openUniform(_ random: inout RandomStream) -> Double { random.uniform() * (1 - 0x1p-52) + 0x1p-54 }

    private func truncatedUniform(_ random: inout RandomStream, cut: Double) -> Double {
        let low = 0.5 * erfc(cut / 2.0.squareRoot())
        return low + (1 - 2 * low) * openUniform(&random)
    }
}
