public import Kernels
import Platform

/// The vectors that token ids stand for.
public struct Codebook: Sendable {
    /// How a vector finds its id.
    public enum Metric: String, Sendable, CaseIterable {
        /// The row of highest cosine; rows have root mean square 1.
        case cosine
        /// The row of least distance.
        case euclidean
        /// Each dimension is rounded to one of its levels.
        case levels
    }

    /// (K, D), row-major.
    public let rows: Floats
    /// K: ids are 0..<count.
    public let count: Int
    /// D: floats of a row.
    public let width: Int
    public let metric: Metric
    /// Hash that a model remembers, so that it is never shown ids of another codebook.
    public let hash: UInt64

    public init(_ rows: Floats, width: Int, metric: Metric) {
        precondition(width > 0 && rows.count > 0 && rows.count % width == 0, "a codebook has whole rows")
        (self.rows, self.width, self.metric) = (rows, width, metric)
        count = rows.count / width
        hash = XXHash64.hash(words: [UInt64(width), XXHash64.hash(rows.viewed(as: UInt8.self))])
    }

    /// For people and files: the hash in hexadecimal digits.
    public var name: String { String(hash, radix: 16) }

    /// The vector of an id, (D).
    public subscript(id: Int) -> Floats { rows[id * width..<(id + 1) * width] }

    /// The code of highest cosine, or of least distance where the metric is another; the lowest id on ties.
    public func nearest(to vector: Floats) -> Int {
        precondition(vector.count == width, "a vector of the codebook's width")
        func score(_ id: Int) -> Double {
            var (product, squares) = (0.0, 0.0)
            for place in 0..<width {
                let value = Double(rows[id * width + place])
                product += value * Double(vector[place])
                squares += value * value
            }
            return metric == .cosine ? product / max(squares.squareRoot(), 1e-12) : product - squares / 2
        }
        var (best, highest) = (0, score(0))
        for id in 1..<max(count, 1) {
            let score = score(id)
            if score > highest { (best, highest) = (id, score) }
        }
        return best
    }

    /// The rows with length 1, (K, D).
    public var normalizedRows: Floats {
        let unit = Floats(rows.array)
        for id in 0..<count {
            let row = unit[id * width..<(id + 1) * width]
            let norm = (0..<width).reduce(0.0) { $0 + Double(row[$1]) * Double(row[$1]) }.squareRoot()
            for place in 0..<width { row[place] = Float(Double(row[place]) / max(norm, 1e-12)) }
        }
        return unit
    }

    /// The `neighbours` other codes of highest cosine, nearest first and the lower id first on ties: (K, neighbours).
    /// The published lists came without their making; this is ours.
    public func synonyms(_ neighbours: Int) -> Indices {
        precondition(neighbours < count, "fewer other codes than neighbours")
        let unit = normalizedRows
        let found = Indices(zeros: count * neighbours)
        for id in 0..<count {
            // Codes come with rising ids: one that is only as near as another goes behind it.
            var best: [(cosine: Double, id: Int)] = []
            for other in 0..<count where other != id {
                let cosine = (0..<width).reduce(0.0) {
                    $0 + Double(unit[id * width + $1]) * Double(unit[other * width + $1])
                }
                let place = best.firstIndex { $0.cosine < cosine } ?? best.count
                guard place < neighbours else { continue }
                best.insert((cosine, other), at: place)
                if best.count > neighbours { best.removeLast() }
            }
            for (place, code) in best.enumerated() { found[id * neighbours + place] = Int32(code.id) }
        }
        return found
    }
}
