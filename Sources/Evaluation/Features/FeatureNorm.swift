import Kernels

/// Normalization of feature vectors before a classifier reads them.
public enum FeatureNorm: String, Sendable, CaseIterable {
    case none
    /// Each block's part of a vector to mean 0 and variance 1 over its channels: a layer norm without parameters.
    case layer
    /// Each channel to mean 0 and variance 1 over the samples that are learned from: a batch norm without parameters,
    /// with the statistics of the whole set instead of a batch's.
    case batch
    /// The same, then channels are mixed so that they no longer go together: the covariance is 1 but for directions in
    /// which features hardly vary. What a linear classifier can read stays the same and is found much sooner.
    case whitening
}

/// A norm with the numbers that it needs of the samples that are learned from.
struct Normaliser: Sendable {
    private let norm: FeatureNorm
    private let pieces: [FeaturePiece]
    private let width: Int
    /// (F) each, of the batch norm.
    private let mean, scale: Floats
    /// (F, F), the inverse of the covariance's Cholesky factor.
    private var mixing: Floats?
    private static let epsilon = 1e-6
    /// Variance, of 1, that is added before whitening: above the rounding of products in Float, so that no direction is
    /// blown up that is nothing else.
    private static let ridge = 1e-4
    /// Rows of a product.
    private static let block = 4096

    /// - Parameter rows: those that are learned from.
    init(_ norm: FeatureNorm, _ features: Features, rows: [Int], pool: WorkerPool) {
        (self.norm, pieces, width) = (norm, features.pieces, features.width)
        (mean, scale) = (Floats(zeros: width), Floats(zeros: width))
        switch norm {
        case .none, .layer: return
        case .batch: measure(features, table(rows), pool)
        case .whitening:
            measure(features, table(rows), pool)
            let covariance = covariance(features, rows, pool)
            mixing = Floats(inverseCholesky(covariance, size: width).map { Float($0) })
        }
    }

    /// x: any number of rows of F.
    func apply(to x: Floats, pool: WorkerPool) {
        if norm != .none {
            pool.split(x.count / width, grain: 32, (x, self)) { work, rows in
                let (x, norm) = work
                for row in rows { norm.apply(row: x[row * norm.width..<(row + 1) * norm.width]) }
            }
        }
        guard let mixing else { return }
        let copy = Floats(zeros: x.count)
        copy.copy(from: x)
        let rows = x.count / width
        pool.multiply(
            Matrix(copy, rows: rows, columns: width), Matrix(mixing, rows: width, columns: width).transposed,
            into: Matrix(x, rows: rows, columns: width))
    }

    private func apply(row: Floats) {
        switch norm {
        case .none: return
        case .batch, .whitening:
            for column in 0..<width { row[column] = (row[column] - mean[column]) * scale[column] }
        case .layer:
            for piece in pieces {
                var (sum, squares) = (0.0, 0.0)
                for column in piece.columns { sum += Double(row[column]) }
                let middle = sum / Double(piece.columns.count)
                for column in piece.columns {
                    let distance = Double(row[column]) - middle
                    squares += distance * distance
                }
                let factor = 1 / (squares / Double(piece.columns.count) + Self.epsilon).squareRoot()
                for column in piece.columns { row[column] = Float((Double(row[column]) - middle) * factor) }
            }
        }
    }

    private func measure(_ features: Features, _ rows: Indices, _ pool: WorkerPool) {
        // In Double: sums over a million rows lose digits in Float.
        pool.split(width, grain: 16, (features.values, rows, width, mean, scale)) { work, columns in
            let (values, rows, width, mean, scale) = work
            for column in columns {
                var sum = 0.0
                for row in 0..<rows.count { sum += Double(values[Int(rows[row]) * width + column]) }
                let middle = sum / Double(max(rows.count, 1))
                var squares = 0.0
                for row in 0..<rows.count {
                    let distance = Double(values[Int(rows[row]) * width + column]) - middle
                    squares += distance * distance
                }
                mean[column] = Float(middle)
                scale[column] = Float(1 / (squares / Double(max(rows.count, 1)) + Self.epsilon).squareRoot())
            }
        }
    }

    /// (F, F), of the standardised rows, with `ridge` added to the diagonal.
    private func covariance(_ features: Features, _ rows: [Int], _ pool: WorkerPool) -> [Double] {
        var sums = [Double](repeating: 0, count: width * width)
        let product = Floats(zeros: width * width)
        for start in stride(from: 0, to: rows.count, by: Self.block) {
            let part = rows[start..<min(start + Self.block, rows.count)]
            let x = Floats(zeros: part.count * width)
            pool.gatherRows(features.values, table: table(part), into: x, channels: width)
            apply(to: x, pool: pool)
            let matrix = Matrix(x, rows: part.count, columns: width)
            pool.multiply(matrix.transposed, matrix, into: Matrix(product, rows: width, columns: width))
            for index in sums.indices { sums[index] += Double(product[index]) }
        }
        for index in sums.indices { sums[index] /= Double(max(rows.count, 1)) }
        for column in 0..<width { sums[column * width + column] += Self.ridge }
        return sums
    }
}

/// L⁻¹ with A = L·Lᵀ, both lower triangular.
/// - Parameter a: (n, n), symmetric. A pivot below 1e-5 counts as that: rounding can make it negative.
package func inverseCholesky(_ a: [Double], size n: Int) -> [Double] {
    var factor = a
    for row in 0..<n {
        for column in 0...row {
            var sum = a[row * n + column]
            for k in 0..<column { sum -= factor[row * n + k] * factor[column * n + k] }
            factor[row * n + column] =
                row == column ? max(sum, 1e-5).squareRoot() : sum / factor[column * n + column]
        }
    }
    var inverse = [Double](repeating: 0, count: n * n)
    for row in 0..<n {
        let pivot = 1 / factor[row * n + row]
        for k in 0..<row {
            let share = factor[row * n + k] * pivot
            for column in 0...k { inverse[row * n + column] -= share * inverse[k * n + column] }
        }
        inverse[row * n + row] = pivot
    }
    return inverse
}
