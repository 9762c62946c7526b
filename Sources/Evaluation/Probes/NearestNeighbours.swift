import Glibc
public import Kernels

/// Classes by the vote of the nearest training samples: cosine similarity s, each of the k nearest votes for its class
/// with weight exp(s / T). All k at once. Source: facebookresearch/dino, eval_knn.py.
public struct NearestNeighbours {
    /// Percent of the test set.
    public struct Score: Sendable, Equatable {
        /// Neighbours that vote; all training samples where there are fewer.
        public let k: Int
        public let top1, top5: Double
    }

    /// Ascending.
    public let counts: [Int]
    public let temperature: Double
    private let pool: WorkerPool
    private static let testRows = 256, trainRows = 4096

    public init(counts: [Int] = [10, 20, 100, 200], temperature: Double = 0.07, pool: WorkerPool) {
        precondition(!counts.isEmpty && counts.allSatisfy { $0 > 0 }, "at least one neighbour")
        (self.counts, self.temperature, self.pool) = (counts.sorted(), temperature, pool)
    }

    /// - Parameters:
    ///   - rows: of the training samples that may vote; nil lets all.
    ///   - progress: told the test samples done and in all; may throw to end it.
    public func score(
        train: Features, rows: [Int]? = nil, test: Features, norm: FeatureNorm = .none,
        progress: (Int, Int) throws -> Void = { _, _ in }
    ) rethrows -> [Score] {
        let voters = rows ?? train.labelled
        let normaliser = Normaliser(norm, train, rows: voters, pool: pool)
        let known = normalizedRows(train, voters, normaliser)
        let labels = table(voters.map { train.labels[$0] })
        let asked = test.labelled
        var hits = [Hits](repeating: Hits(), count: counts.count)
        let nearest = Nearest(rows: Self.testRows, count: min(counts.last ?? 1, voters.count))
        let similarities = Floats(zeros: Self.testRows * Self.trainRows)
        for start in stride(from: 0, to: asked.count, by: Self.testRows) {
            let part = Array(asked[start..<min(start + Self.testRows, asked.count)])
            let x = Matrix(normalizedRows(test, part, normaliser), rows: part.count, columns: test.width)
            nearest.clear()
            for first in stride(from: 0, to: voters.count, by: Self.trainRows) {
                let count = min(Self.trainRows, voters.count - first)
                let block = Matrix(
                    known[first * train.width..<(first + count) * train.width], rows: count, columns: train.width)
                pool.multiply(x, block.transposed, into: Matrix(similarities, rows: part.count, columns: count))
                pool.split(part.count, grain: 4, (nearest, similarities, count, first)) { work, rows in
                    for row in rows {
                        work.0.offer(work.1[row * work.2..<(row + 1) * work.2], first: work.3, row: row)
                    }
                }
            }
            vote(nearest, part.map { test.labels[$0] }, labels, classes: train.classes.count, &hits)
            try progress(start + part.count, asked.count)
        }
        return zip(counts, hits).map { Score(k: min($0, voters.count), top1: $1.top1, top5: $1.top5) }
    }

    private func vote(_ nearest: Nearest, _ right: [Int], _ labels: Indices, classes: Int, _ hits: inout [Hits]) {
        let places = Indices(zeros: right.count * counts.count)
        pool.split(right.count, grain: 4, (nearest, right, labels, classes, counts, temperature, places)) {
            work, rows in
            let (nearest, right, labels, classes, counts, temperature, places) = work
            var votes = [Double](repeating: 0, count: classes)
            for row in rows {
                for label in votes.indices { votes[label] = 0 }
                var next = 0
                for (number, neighbour) in nearest.ordered(row).enumerated() {
                    votes[Int(labels[Int(neighbour.row)])] += exp(Double(neighbour.similarity) / temperature)
                    while next < counts.count, number + 1 == min(counts[next], nearest.count) {
                        let own = votes[right[row]]
                        let before = votes.indices.count { $0 != right[row] && !(votes[$0] < own) }
                        places[row * counts.count + next] = Int32(before)
                        next += 1
                    }
                }
            }
        }
        for index in 0..<places.count { hits[index % counts.count].add(place: Int(places[index])) }
    }

    /// The rows in a matrix of their own, normalised and of length 1.
    private func normalizedRows(_ features: Features, _ rows: [Int], _ norm: Normaliser) -> Floats {
        let width = features.width
        let x = Floats(zeros: rows.count * width)
        pool.gatherRows(features.values, table: table(rows), into: x, channels: width)
        norm.apply(to: x, pool: pool)
        pool.split(rows.count, grain: 32, (x, width)) { work, rows in
            let (x, width) = work
            for row in rows {
                let vector = x[row * width..<(row + 1) * width]
                var squares = 0.0
                for column in 0..<width { squares += Double(vector[column]) * Double(vector[column]) }
                let factor = Float(1 / max(squares.squareRoot(), 1e-12))
                for column in 0..<width { vector[column] *= factor }
            }
        }
        return x
    }
}

/// For each test row the most similar training rows so far, as a heap with the least similar first. Of equals the later
/// row is the less similar one, so that the result does not depend on how the rows are cut.
private struct Nearest: Sendable {
    /// Neighbours of a row.
    let count: Int
    private let similarities: Floats
    private let rows: Indices

    init(rows: Int, count: Int) {
        self.count = count
        similarities = Floats(zeros: rows * count)
        self.rows = Indices(zeros: rows * count)
    }

    func clear() {
        similarities.fill(-.infinity)
        rows.fill(.max)
    }

    /// Looks at a block of training rows; their numbers grow from block to block.
    func offer(_ block: Floats, first: Int, row: Int) {
        let heap = row * count..<(row + 1) * count
        let (own, numbers) = (similarities[heap], rows[heap])
        var least = own[0]
        for column in 0..<block.count where block[column] > least {
            sink(block[column], Int32(first + column), own, numbers)
            least = own[0]
        }
    }

    /// The neighbours, most similar first.
    func ordered(_ row: Int) -> [(similarity: Float, row: Int32)] {
        (row * count..<(row + 1) * count).map { (similarities[$0], rows[$0]) }.filter { $0.1 != .max }
            .sorted { $0.0 > $1.0 || ($0.0 == $1.0 && $0.1 < $1.1) }
    }

    /// Puts a neighbour in the place of the least similar one.
    private func sink(_ similarity: Float, _ number: Int32, _ own: Floats, _ numbers: Indices) {
        func isLess(_ one: Int, _ other: (Float, Int32)) -> Bool {
            own[one] < other.0 || (own[one] == other.0 && numbers[one] > other.1)
        }
        var place = 0
        while true {
            var child = 2 * place + 1
            if child >= own.count { break }
            if child + 1 < own.count, isLess(child + 1, (own[child], numbers[child])) { child += 1 }
            if !isLess(child, (similarity, number)) { break }
            own[place] = own[child]
            numbers[place] = numbers[child]
            place = child
        }
        own[place] = similarity
        numbers[place] = number
    }
}
