import Glibc
public import Kernels

/// The directions in which rows vary most. Rows are centred and not scaled; variances have the divisor rows − 1; the
/// entry of largest magnitude of each component is positive.
public struct PrincipalComponents: Sendable {
    public let mean: [Double]
    /// Unit vectors, the largest variance first.
    public let components: [[Double]]
    public let variances: [Double]

    /// - Parameters:
    ///   - rows: at least two of one length.
    ///   - count: components wanted, at most the length.
    public init(of rows: [[Double]], count: Int, pool: WorkerPool) {
        let width = rows[0].count
        let mean = (0..<width).map { column in rows.reduce(0) { $0 + $1[column] } / Double(rows.count) }
        let centred = rows.map { row in zip(row, mean).map { $0 - $1 } }
        // Columns as rows, so that an entry of the covariance is a plain dot product.
        let columns = (0..<width).map { column in centred.map { $0[column] } }
        let covariance = Buffer<Double>(zeros: width * width)
        pool.split(width, grain: 8, (columns, covariance, Double(rows.count - 1))) { arguments, range in
            let (columns, covariance, divisor) = arguments
            for i in range {
                for j in columns.indices { covariance[i * columns.count + j] = dot(columns[i], columns[j]) / divisor }
            }
        }
        let pairs = Self.largest(count, of: covariance.array, side: width)
        self.mean = mean
        variances = pairs.map(\.value)
        components = pairs.map { pair in
            let largest = pair.vector.max { abs($0) < abs($1) } ?? 0
            return largest < 0 ? pair.vector.map { -$0 } : pair.vector
        }
    }

    /// The coordinates of a row.
    public func project(_ row: [Double]) -> [Double] {
        let centred = zip(row, mean).map { $0 - $1 }
        return components.map { dot($0, centred) }
    }

    private typealias Pair = (value: Double, vector: [Double])

    /// The first eigenpairs of a symmetric matrix: a block somewhat wider than wanted is multiplied by the matrix and
    /// made orthonormal again, and the small problem inside the block is solved exactly, until nothing moves.
    private static func largest(_ count: Int, of matrix: [Double], side: Int) -> [Pair] {
        let block = min(side, count + 8)
        var random = RandomStream(seed: 0, purpose: .initialize)
        var vectors = (0..<block).map { _ in (0..<side).map { _ in random.uniform(-1...1) } }
        var values = [Double](repeating: 0, count: block)
        for _ in 0..<1_000 {
            vectors = orthonormal(vectors)
            let images = vectors.map { vector in
                (0..<side).map { row in
                    var sum = 0.0
                    for column in 0..<side { sum += matrix[row * side + column] * vector[column] }
                    return sum
                }
            }
            let inside = vectors.flatMap { vector in images.map { dot(vector, $0) } }
            let small = rotated(inside, side: block).sorted { $0.value > $1.value }
            let settled = zip(small, values).prefix(count).allSatisfy {
                abs($0.value - $1) <= 1e-14 * max(abs(small[0].value), .leastNormalMagnitude)
            }
            values = small.map(\.value)
            func mixed(_ parts: [[Double]]) -> [[Double]] {
                small.map { pair in
                    (0..<side).map { row in parts.indices.reduce(0) { $0 + pair.vector[$1] * parts[$1][row] } }
                }
            }
            if settled {
                return zip(values, mixed(vectors)).prefix(count).map { (value: $0, vector: $1) }
            }
            vectors = mixed(images)
        }
        return zip(values, orthonormal(vectors)).prefix(count).map { (value: $0, vector: $1) }
    }

    /// Gram and Schmidt, twice for accuracy. A vector that depends on those before becomes another direction.
    private static func orthonormal(_ vectors: [[Double]]) -> [[Double]] {
        var result: [[Double]] = []
        for (number, vector) in vectors.enumerated() {
            var vector = vector
            for attempt in 0..<4 {
                let before = dot(vector, vector).squareRoot()
                for other in result {
                    let along = dot(vector, other)
                    for index in vector.indices { vector[index] -= along * other[index] }
                }
                let length = dot(vector, vector).squareRoot()
                if length > 1e-10 * before, length > 0 {
                    for index in vector.indices { vector[index] /= length }
                } else {
                    vector = vector.indices.map { ($0 + attempt) % vectors.count == number ? 1 : 0 }
                }
            }
            result.append(vector)
        }
        return result
    }

    /// All eigenpairs of a small symmetric matrix by Jacobi's rotations.
    private static func rotated(_ matrix: [Double], side: Int) -> [Pair] {
        var a = matrix
        var vectors = (0..<side).map { row in (0..<side).map { $0 == row ? 1.0 : 0 } }
        for _ in 0..<60 {
            var moved = false
            for p in 0..<side {
                for q in p + 1..<max(side, p + 1) {
                    let (pp, qq, pq) = (a[p * side + p], a[q * side + q], a[p * side + q])
                    if abs(pq) <= 1e-17 * (abs(pp) + abs(qq)) { continue }
                    moved = true
                    let angle = 0.5 * atan2(2 * pq, qq - pp)
                    let (c, s) = (cos(angle), sin(angle))
                    for k in 0..<side {
                        let (x, y) = (a[k * side + p], a[k * side + q])
                        (a[k * side + p], a[k * side + q]) = (c * x - s * y, s * x + c * y)
                    }
                    for k in 0..<side {
                        let (x, y) = (a[p * side + k], a[q * side + k])
                        (a[p * side + k], a[q * side + k]) = (c * x - s * y, s * x + c * y)
                        let (v, w) = (vectors[p][k], vectors[q][k])
                        (vectors[p][k], vectors[q][k]) = (c * v - s * w, s * v + c * w)
                    }
                }
            }
            if !moved { break }
        }
        return vectors.indices.map { (value: a[$0 * side + $0], vector: vectors[$0]) }
    }
}

private func dot(_ x: [Double], _ y: [Double]) -> Double {
    var sum = 0.0
    for index in x.indices { sum += x[index] * y[index] }
    return sum
}
