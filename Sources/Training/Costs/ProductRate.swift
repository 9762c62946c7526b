public import Kernels

/// How many float32 operations a second this machine's matrix products reach: the measure for everything else.
public struct ProductRate: Sendable, Equatable {
    /// Of the pool that was measured, all its threads together.
    public let flopsPerSecond: Double
    public let threads: Int

    /// Rows, depth and columns: the products of a ViT-S and a ViT-B block at some hundred tokens.
    private static let extents = [(1568, 384, 1536), (1568, 768, 768), (3072, 768, 3072)]

    /// The best of several sizes.
    /// - Parameter seconds: time for the measurement, about.
    public init(measuring pool: WorkerPool, seconds: Double = 0.5) {
        var best = 0.0
        for (rows, depth, columns) in Self.extents {
            let (a, b, c) = (Floats(zeros: rows * depth), Floats(zeros: depth * columns), Floats(zeros: rows * columns))
            a.fill(0.5)
            b.fill(0.25)
            let (left, right) = (Matrix(a, rows: rows, columns: depth), Matrix(b, rows: depth, columns: columns))
            let product = Matrix(c, rows: rows, columns: columns)
            pool.multiply(left, right, into: product)
            let end = MonotonicTime.now + seconds / Double(Self.extents.count)
            repeat {
                let start = MonotonicTime.now
                pool.multiply(left, right, into: product)
                best = max(best, Double(2 * rows * depth * columns) / max(MonotonicTime.now - start, 1e-9))
            } while MonotonicTime.now < end
        }
        flopsPerSecond = best
        threads = pool.threads
    }
}
