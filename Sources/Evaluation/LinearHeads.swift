import Autodiff
import Cluster
import Kernels

/// How a head follows its gradient; both with momentum 0.9 and without decay.
enum HeadRule: String, Sendable {
    case sgd = "SGD, momentum 0.9"
    /// The step of a matrix is trust·‖w‖/‖g‖ as long, trust 0.001; vectors as in SGD. The form of facebookresearch/mae.
    case lars = "LARS, momentum 0.9, trust 0.001"
}

/// Linear classifiers side by side over the same features: one product gives the scores of all, one their gradients,
/// and each follows its own rule at its own rate.
final class LinearHeads {
    /// Columns of the feature vector that all of them read.
    let columns: Range<Int>
    let count: Int
    private let classes: Int
    private let rule: HeadRule
    private let rates: [Double]
    /// (H·K, F) weights, then (H·K) biases.
    private let values, gradients: Floats
    /// Running direction of each number.
    private let momentum: Floats
    /// The heads' weights, then their biases: two numbers each.
    private let pieces: UpdatePieces
    private let norms: Doubles
    private let factors: Floats
    private let pool: WorkerPool
    private var scores: Floats
    private var scratch: Floats

    /// - Parameters:
    ///   - rates: one for each head.
    ///   - start: law of the weights, the same numbers for each head; biases start at 0.
    init(
        _ columns: Range<Int>, classes: Int, rule: HeadRule, rates: [Double], start: Initializer, seed: UInt64,
        pool: WorkerPool
    ) {
        (self.columns, self.classes, self.rule, self.rates, self.pool) = (columns, classes, rule, rates, pool)
        count = rates.count
        let (heads, size) = (rates.count, classes * columns.count)
        let total = heads * (size + classes)
        (values, gradients) = (Floats(zeros: total), Floats(zeros: total))
        let graph = Graph()
        let head = graph.scope["head"].parameter("weight", [classes, columns.count], start)
        let first = ParameterStore(graph, minimising: nil, seed: seed, pool: pool).value(head.name)
        for head in 0..<heads {
            if let first { values[head * size..<(head + 1) * size].copy(from: first) }
        }
        momentum = Floats(zeros: total)
        let bias = heads * size
        pieces = UpdatePieces(
            (0..<heads).map { $0 * size..<($0 + 1) * size }
                + (0..<heads).map { bias + $0 * classes..<bias + ($0 + 1) * classes })
        (norms, factors) = (Doubles(zeros: 4 * heads), Floats(zeros: 4 * heads))
        (scores, scratch) = (Floats(zeros: 0), Floats(zeros: 0))
    }

    private var outputs: Int { count * classes }
    private func weight(of all: Floats) -> Matrix {
        Matrix(all[0..<outputs * columns.count], rows: outputs, columns: columns.count)
    }
    private func bias(of all: Floats) -> Floats { all[outputs * columns.count..<all.count] }

    /// One update of every head on a batch.
    /// - Parameters:
    ///   - x: (B, F) with F the whole feature vector.
    ///   - factor: on every rate.
    ///   - step: from 1.
    func learn(_ x: Floats, labels: Indices, factor: Double, step: Int) {
        let (rows, x) = (labels.count, view(x, rows: labels.count))
        forward(x, rows: rows)
        // The gradient of the mean cross entropy: (softmax(z) - one-hot) / B.
        pool.softmax(scores, into: scores, rows: rows * count, columns: classes)
        pool.split(rows, grain: 64, (scores, labels, count, classes, 1 / Float(rows))) { work, range in
            let (scores, labels, heads, classes, share) = work
            for row in range {
                let line = scores[row * heads * classes..<(row + 1) * heads * classes]
                for head in 0..<heads { line[head * classes + Int(labels[row])] -= 1 }
                for output in 0..<line.count { line[output] *= share }
            }
        }
        pool.multiply(Matrix(scores, rows: rows, columns: outputs).transposed, x, into: weight(of: gradients))
        pool.columnSums(
            scores, rows: rows, channels: outputs, into: bias(of: gradients), adding: false, scratch: scratch)
        update(factor: factor, step: step)
    }

    /// `b = 0.9·b + r·d; w -= factor·b` with r the head's rate: as the rate outside of b, since r stays the same.
    private func update(factor: Double, step: Int) {
        if rule == .lars { pool.squaredNorms(values, gradients, decay: 0, pieces, norms: norms) }
        for tensor in 0..<2 * count {
            var ratio = rates[tensor % count]
            if rule == .lars, tensor < count {
                let (weight, gradient) = (norms[2 * tensor].squareRoot(), norms[2 * tensor + 1].squareRoot())
                if weight > 0, gradient > 0 { ratio *= 0.001 * weight / gradient }
            }
            factors[2 * tensor + 1] = Float(ratio)
        }
        let coefficients = MomentumCoefficients(
            decay: 0, momentum: 0.9, dampening: 0, nesterov: false, rate: factor, isFirst: step == 1)
        pool.descend(values, gradients, buffer: momentum, coefficients, pieces, factors: factors)
    }

    /// Adds up, for each head, the samples of a batch whose class is its first guess and those whose class is among its
    /// first five. A tie, or a score that is no number, is no hit.
    func count(_ hits: inout [Hits], _ x: Floats, labels: Indices) {
        forward(view(x, rows: labels.count), rows: labels.count)
        for row in 0..<labels.count {
            let label = Int(labels[row])
            for head in 0..<count {
                let line = scores[(row * count + head) * classes..<(row * count + head + 1) * classes]
                var before = 0
                for other in 0..<classes where other != label && !(line[other] < line[label]) { before += 1 }
                hits[head].add(place: before)
            }
        }
    }

    private func view(_ x: Floats, rows: Int) -> Matrix {
        Matrix(
            x[columns.lowerBound..<x.count], rows: rows, columns: columns.count, stride: rows > 0 ? x.count / rows : nil
        )
    }

    private func forward(_ x: Matrix, rows: Int) {
        if scores.count != rows * outputs {
            scores = Floats(zeros: rows * outputs)
            scratch = Floats(zeros: WorkerPool.columnSumScratch(rows: rows, channels: outputs))
        }
        pool.fillRows(bias(of: values), into: scores, rows: rows)
        pool.multiply(
            x, weight(of: values).transposed, into: Matrix(scores, rows: rows, columns: outputs), adding: true)
    }
}

/// Samples whose class was among the first guesses.
struct Hits: Sendable, Equatable {
    var first = 0, firstFive = 0, of = 0

    /// - Parameter place: classes with a better score than the right one.
    mutating func add(place: Int) {
        of += 1
        if place < 1 { first += 1 }
        if place < 5 { firstFive += 1 }
    }

    /// Percent.
    var top1: Double { 100 * Double(first) / Double(max(of, 1)) }
    /// Percent.
    var top5: Double { 100 * Double(firstFive) / Double(max(of, 1)) }
}
