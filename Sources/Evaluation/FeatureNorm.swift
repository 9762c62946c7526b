import Kernels

/// What is done to feature vectors before a classifier reads them.
public enum FeatureNorm: String, Sendable, CaseIterable {
    case none
    /// Each block's part of a vector to mean 0 and variance 1 over its channels: a layer norm without parameters.
    case layer
    /// Each channel to mean 0 and variance 1 over the samples that are learned from: a batch norm without parameters,
    /// with the statistics of the whole set instead of a batch's.
    case batch
}

/// A norm with the numbers that it needs of the samples that are learned from.
struct Normaliser: Sendable {
    private let norm: FeatureNorm
    private let pieces: [FeaturePiece]
    private let width: Int
    /// (F) each, of the batch norm.
    private let mean, scale: Floats
    private static let epsilon = 1e-6

    /// - Parameter rows: those that are learned from.
    init(_ norm: FeatureNorm, _ features: Features, rows: [Int], pool: WorkerPool) {
        (self.norm, pieces, width) = (norm, features.pieces, features.width)
        (mean, scale) = (Floats(zeros: width), Floats(zeros: width))
        guard norm == .batch else { return }
        // In Double: sums over a million rows lose digits in Float.
        pool.split(width, grain: 16, (features.values, table(rows), width, mean, scale)) { work, columns in
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

    /// x: any number of rows of F.
    func apply(to x: Floats, pool: WorkerPool) {
        guard norm != .none else { return }
        pool.split(x.count / width, grain: 32, (x, self)) { work, rows in
            let (x, norm) = work
            for row in rows { norm.apply(row: x[row * norm.width..<(row + 1) * norm.width]) }
        }
    }

    private func apply(row: Floats) {
        switch norm {
        case .none: return
        case .batch:
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
}
