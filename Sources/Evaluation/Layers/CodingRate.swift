import Glibc
public import Kernels

/// How many nats the tokens of an image take in one subspace, up to a precision: r = ½·logdet(I + α·ÛᵀÛ) with the
/// rows of U scaled to unit length and α = k/(T·ε). ε = 0.01 stands for the squared precision.
/// For T ≥ k it is at most ½·k·ln(1 + 1/ε). Source: arXiv 2306.01129, code Ma-Lab-Berkeley/CRATE.
public struct CodingRate: Sendable {
    public let epsilon: Double

    public init(epsilon: Double = 0.01) { self.epsilon = epsilon }

    /// The rate of T × k numbers.
    /// - Parameters:
    ///   - u: the first row; the others follow `stride` floats apart.
    ///   - tokens: T.
    ///   - width: k.
    public func rate(_ u: Floats, tokens: Int, width: Int, stride: Int) -> Double {
        let rows = (0..<tokens).map { token -> [Double] in
            let row = (0..<width).map { Double(u[token * stride + $0]) }
            let length = row.reduce(0) { $0 + $1 * $1 }.squareRoot()
            // The reference divides by 0 here; a row of zeros takes no nats.
            return length > 0 ? row.map { $0 / length } : row
        }
        // The smaller of the two Gram matrices has the same determinant.
        let vectors = tokens < width ? rows : (0..<width).map { column in rows.map { $0[column] } }
        let factor = Double(width) / (Double(tokens) * epsilon)
        var matrix = [Double](repeating: 0, count: vectors.count * vectors.count)
        for i in vectors.indices {
            for j in 0...i {
                var sum = 0.0
                for (x, y) in zip(vectors[i], vectors[j]) { sum += x * y }
                matrix[i * vectors.count + j] = factor * sum + (i == j ? 1 : 0)
            }
        }
        return 0.5 * Self.logDeterminant(&matrix, side: vectors.count)
    }

    /// The rates of every head of every image, (B, h), from projections (B, T, h·k), head-major.
    public func rates(_ u: Floats, samples: Int, tokens: Int, heads: Int, pool: WorkerPool) -> [Double] {
        let width = u.count / (samples * tokens * heads)
        let rates = Buffer<Double>(zeros: samples * heads)
        let rate = self
        pool.split(samples * heads, grain: 1, (u, rates, tokens, heads, width)) { arguments, pairs in
            let (u, rates, tokens, heads, width) = arguments
            for pair in pairs {
                let start = pair / heads * tokens * heads * width + pair % heads * width
                rates[pair] = rate.rate(
                    u[start..<u.count], tokens: tokens, width: width, stride: heads * width)
            }
        }
        return rates.array
    }

    /// ln det of a positive definite matrix by Cholesky, of which the lower triangle is given.
    private static func logDeterminant(_ matrix: inout [Double], side: Int) -> Double {
        var result = 0.0
        for i in 0..<side {
            for j in 0...i {
                var value = matrix[i * side + j]
                for k in 0..<j { value -= matrix[i * side + k] * matrix[j * side + k] }
                if i == j {
                    matrix[i * side + i] = value.squareRoot()
                    result += log(value)
                } else {
                    matrix[i * side + j] = value / matrix[j * side + j]
                }
            }
        }
        return result
    }
}
