public import Kernels

/// A codebook that follows the vectors of the batches by exponential moving averages: of how many chose a code, N, and
/// of their sum, M. All numbers that enter are of the global batch, so every rank computes the same codebook.
/// Sources: arXiv 1711.00937, appendix A; the unit codes and restarts as in lucidrains/vector-quantize-pytorch.
public struct EMACodebook: Sendable {
    /// e: (K, D); N: (K); M: (K, D).
    public let codes, sizes, sums: Floats
    public let width: Int
    /// Codes are compared by distance and may have any length; otherwise they are L2-normalized.
    public let isDistance: Bool

    public var count: Int { sizes.count }

    public init(codes: Floats, sizes: Floats, sums: Floats, isDistance: Bool) {
        precondition(sizes.count > 0 && codes.count == sums.count && codes.count % sizes.count == 0, "K rows")
        (self.codes, self.sizes, self.sums, self.isDistance) = (codes, sizes, sums, isDistance)
        width = codes.count / sizes.count
    }

    /// The EMA decay of the `update`-th update, 1 first: fast forgetting in the beginning, so that codes nobody wants
    /// are found early.
    public static func warmedDecay(_ decay: Double, update: Int) -> Double {
        min(decay, Double(1 + update) / Double(10 + update))
    }

    /// N = gN + (1 − g)c, M = gM + (1 − g)S, and the codes anew.
    /// - Parameters:
    ///   - counts: c, (K).
    ///   - batchSums: S, (K, D).
    public func blend(counts: Floats, batchSums: Floats, decay: Double) {
        for code in 0..<count { sizes[code] = Float(decay * Double(sizes[code]) + (1 - decay) * Double(counts[code])) }
        for place in 0..<sums.count {
            sums[place] = Float(decay * Double(sums[place]) + (1 - decay) * Double(batchSums[place]))
        }
        refresh()
    }

    /// e from N and M.
    private func refresh() {
        let epsilon = 1e-5
        let total = (0..<count).reduce(0.0) { $0 + Double(sizes[$1]) }
        for code in 0..<count {
            let range = code * width..<(code + 1) * width
            let divisor: Double
            if isDistance {
                // Laplace's smoothing keeps the divisor of a code that nobody chose above 0.
                divisor = (Double(sizes[code]) + epsilon) / (total + Double(count) * epsilon) * total
            } else {
                divisor = max(range.reduce(0.0) { $0 + Double(sums[$1]) * Double(sums[$1]) }.squareRoot(), 1e-6)
            }
            for place in range { codes[place] = Float(Double(sums[place]) / divisor) }
        }
    }

    /// The codes with N below a threshold, ascending, at the beginning of `codes`.
    /// - Returns: how many they are.
    public func dead(below threshold: Double, into codes: Indices) -> Int {
        var found = 0
        for code in 0..<count where Double(sizes[code]) < threshold {
            codes[found] = Int32(code)
            found += 1
        }
        return found
    }

    /// e = row, N = size, M = size·row.
    public func restart(_ code: Int, at row: Floats, size: Double) {
        let range = code * width..<(code + 1) * width
        codes[range].copy(from: row)
        sizes[code] = Float(size)
        for place in 0..<width { sums[code * width + place] = Float(size * Double(row[place])) }
    }

    /// The codes as centres of `vectors`, (V, D), by rounds of k-means; N as if `tokens` vectors had chosen them.
    /// - Parameter rows: the vectors that the centres start from, K different ones.
    public func start(from vectors: Floats, rows: [Int], rounds: Int, tokens: Int, pool: WorkerPool) {
        precondition(rows.count == count, "a row for each code")
        for (code, row) in rows.enumerated() {
            codes[code * width..<(code + 1) * width].copy(from: vectors[row * width..<(row + 1) * width])
        }
        let counts = centre(vectors, rounds: rounds, pool: pool)
        let share = Double(tokens) / Double(vectors.count / width)
        for code in 0..<count {
            let range = code * width..<(code + 1) * width
            restart(code, at: Floats(codes[range].array), size: max(counts[code], 1) * share)
        }
    }

    /// Rounds of k-means: every vector to its nearest centre, every centre to the mean of its vectors, a unit vector
    /// where the cosine counts. A centre without vectors stays.
    /// - Returns: how many vectors chose each centre in the last round, before it moved.
    @discardableResult
    public func centre(_ vectors: Floats, rounds: Int, pool: WorkerPool) -> [Double] {
        let ids = Floats(zeros: vectors.count / width)
        let scratch = Floats(zeros: WorkerPool.nearestScratch(rows: ids.count, codes: count))
        var counts = [Double](repeating: 0, count: count)
        for _ in 0..<rounds {
            pool.nearestRows(vectors, codes: codes, into: ids, width: width, isDistance: isDistance, scratch: scratch)
            counts = [Double](repeating: 0, count: count)
            var totals = [Double](repeating: 0, count: codes.count)
            for row in 0..<ids.count {
                let code = Int(ids[row])
                counts[code] += 1
                for place in 0..<width { totals[code * width + place] += Double(vectors[row * width + place]) }
            }
            for code in 0..<count where counts[code] > 0 {
                let range = code * width..<(code + 1) * width
                let length = range.reduce(0.0) { $0 + totals[$1] * totals[$1] }.squareRoot()
                let divisor = isDistance ? counts[code] : max(length, 1e-12)
                for place in range { codes[place] = Float(totals[place] / divisor) }
            }
        }
        return counts
    }
}
